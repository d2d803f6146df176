// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/options.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

struct sqlite3;

namespace satchel::store {

/// Space that is taken from the file system beforehand, so that recording goes on when there is none left.
struct Reserve {
  std::uint64_t database = 0;  ///< bytes of the database file; 0: there is no reserve
  std::uint64_t log = 0;       ///< bytes of the write-ahead log

  explicit operator bool() const noexcept { return database != 0; }
};

/// What `Options::reserve` comes to, in whole pages.
Reserve reserve_of(const Options& options, std::size_t page_size) noexcept;

/// Keeps the database file at its reserved size when this connection checkpoints, which otherwise cuts it to
/// the pages in use. Reserves nothing yet.
void keep_reserved_size(sqlite3* connection, const Reserve& reserve) noexcept;

/// Allocates the space for the database, the log and its index in shared memory; what is there already is not
/// taken again. The connection has to have read the file once. Throws `FullError` when there is not so much.
void take_reserve(sqlite3* connection, const std::string& path, std::size_t page_size,
                  const Reserve& reserve);

}  // namespace satchel::store
