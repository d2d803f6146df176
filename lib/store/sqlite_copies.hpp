// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sqlite_defects.hpp>

#include <string>
#include <vector>

struct sqlite3;

namespace satchel::store {

/// What an observer has to be told of these copies; empty: there is one.
std::string notice_about(const std::vector<SqliteCopy>& copies);

/// What an observer has to be told of the SQLite in this process: its defects, and that it is there twice.
std::vector<std::string> notices_about_sqlite();

/// The connection was opened by another copy of SQLite than satchel's. Known of SQLite's own VFS only: each
/// copy has its own objects of these.
bool opened_elsewhere(sqlite3* database) noexcept;

}  // namespace satchel::store
