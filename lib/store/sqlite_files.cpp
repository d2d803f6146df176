// SPDX-License-Identifier: MIT
#include "store/sqlite_files.hpp"

#include <sqlite3.h>

namespace satchel::store {

sqlite3_file* file_of(sqlite3* connection, int which) noexcept {
  sqlite3_file* file = nullptr;
  const int result = sqlite3_file_control(connection, "main", which, &file);
  return result == SQLITE_OK && file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

void keep_log(sqlite3* connection) noexcept {
  int on = 1;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace satchel::store
