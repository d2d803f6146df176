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

}  // namespace satchel

#pragma GCC visibility pop
