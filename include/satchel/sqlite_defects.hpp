// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// A known defect of SQLite that can harm an outbox.
struct SqliteDefect {
  std::string id;        ///< a short name: "wal-reset"
  std::string problem;   ///< what it can do
  std::string fixed_in;  ///< the versions that have it no more: "3.51.3, 3.50.7, 3.44.6"
  std::string measure;   ///< what satchel does about it
  std::string demand;    ///< what it asks of the application and of other programs on the file; may be empty
};

/// The defects of one version of SQLite, as `sqlite3_libversion_number` writes it; 0: of the one in use. Each
/// of them is told to the observer when a file is opened (`Observer::notice`). Thread-safe.
std::vector<SqliteDefect> sqlite_defects(int version = 0);

/// A copy of SQLite in this process.
struct SqliteCopy {
  std::string file;     ///< the program or library that it is in; empty: not known
  std::string version;  ///< "3.40.1"
};

/// The copies of SQLite in this process: the one that satchel uses, first, then the one of SQLiteCpp if that
/// is another, then those of all libraries that are loaded and export it. One is as it should be. With more
/// of them a file that two have open loses its locks, and then commits, as soon as one of them closes it;
/// opening tells the observer. A copy that is hidden in a library which does not export it is not found.
/// Takes a few microseconds for each library. Thread-safe.
std::vector<SqliteCopy> sqlite_copies();

}  // namespace satchel

#pragma GCC visibility pop
