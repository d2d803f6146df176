// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/salvage.hpp>

#include <cstdint>
#include <optional>
#include <string>

struct sqlite3;

namespace satchel::store {

/// A stretch of row ids, both ends excluded, that could not be read.
struct Stretch {
  std::int64_t after = 0;
  std::int64_t before = 0;
};

/// What became of a table's rows.
struct TableCopy {
  SalvagedTable table;
  /// Ids between rows that could be read.
  std::uint64_t unread_ids = 0;
  /// No row could be read behind the last one that was.
  bool end_unread = false;
};

/// Copies the rows of `source` from one connection into `table` of another, of the same shape and empty.
/// Where a page cannot be read, it goes on behind it: from the other end, then from points in between, so
/// that only the rows of damaged pages stay out. Throws `SQLite::Exception` when the new file cannot be
/// written.
TableCopy copy_table(sqlite3* to, const std::string& table, sqlite3* from, const std::string& source);

}  // namespace satchel::store
