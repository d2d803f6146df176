// SPDX-License-Identifier: MIT
//
// A foreign process with plain SQLite: holds the write lock of a file. Usage: fault-locker DATABASE
// For each line "lock" on its input it takes the lock and writes "locked"; for each "free", "freed". For
// "try" it writes "locked" or "busy" without waiting, and keeps nothing.
#include <sqlite3.h>

#include <iostream>
#include <string>

int main(int count, char** arguments) {
  sqlite3* database = nullptr;
  if (count != 2 || sqlite3_open_v2(arguments[1], &database, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK)
    return 2;
  sqlite3_busy_timeout(database, 10'000);
  const auto run = [&](const char* sql) {
    return sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  };
  // As a well-behaved neighbour: no checkpoints of its own.
  if (!run("PRAGMA wal_autocheckpoint = 0")) return 3;
  sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "try") {
      sqlite3_busy_timeout(database, 0);
      const bool taken = run("BEGIN IMMEDIATE");
      if (taken) run("ROLLBACK");
      std::cout << (taken ? "locked" : "busy") << std::endl;
      continue;
    }
    const bool lock = line == "lock";
    if (!run(lock ? "BEGIN IMMEDIATE" : "ROLLBACK")) return 4;
    std::cout << (lock ? "locked" : "freed") << std::endl;
  }
  sqlite3_close(database);
  return 0;
}
