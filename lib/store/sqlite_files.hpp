// SPDX-License-Identifier: MIT
#pragma once

struct sqlite3;
struct sqlite3_file;

namespace satchel::store {

/// A file as SQLite has it open: a descriptor of our own would end the locks of others in this process.
/// `which` is `SQLITE_FCNTL_FILE_POINTER` or `SQLITE_FCNTL_JOURNAL_POINTER`; null: it is not open, or the VFS
/// gives no access.
sqlite3_file* file_of(sqlite3* connection, int which) noexcept;

/// The end of this connection leaves the log as it is, and leaves it there.
void keep_log(sqlite3* connection) noexcept;

}  // namespace satchel::store
