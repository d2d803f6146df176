// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sqlite_defects.hpp>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <string>

namespace hazards {

inline bool sqlite_has(const std::string& id) {
  for (const satchel::SqliteDefect& defect : satchel::sqlite_defects()) {
    if (defect.id == id) return true;
  }
  return false;
}

/// The end of a process as by kill -9: nothing is closed.
[[noreturn]] inline void die() {
  ::kill(::getpid(), SIGKILL);
  ::_exit(3);
}

/// Runs the action in a process of its own, which has to end with `die`. True when it came so far.
template <class Action>
bool die_after(Action&& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      action();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(2);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

inline std::int64_t number(const std::string& path, const std::string& sql) {
  SQLite::Database database{path, SQLite::OPEN_READWRITE, 1000};
  SQLite::Statement query{database, sql};
  return query.executeStep() ? query.getColumn(0).getInt64() : -1;
}

/// A connection of plain SQLite, as an application without satchel has it.
inline SQLite::Database plain(const std::string& path, const char* vfs = "") {
  return SQLite::Database{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 0, vfs};
}

}  // namespace hazards
