// SPDX-License-Identifier: MIT
#pragma once

#include "store/relay_record.hpp"
#include "store/statement.hpp"

#include <satchel/message.hpp>

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace satchel::store {

/// The row ids from `first` on, up to the next range, have this identity.
struct IdentityRange {
  std::int64_t first = 0;
  Identity identity{};
  std::int64_t machine = 0;
};

/// Reads all ranges; for those who keep the statement.
inline constexpr const char* kAllRanges =
    "SELECT first_id, identity, machine FROM main.satchel_identity ORDER BY first_id";

/// All ranges in ascending order. `rows`: a statement of `kAllRanges`.
std::vector<IdentityRange> read_ranges(Statement& rows);
std::vector<IdentityRange> read_ranges(sqlite3* database);
inline std::vector<IdentityRange> read_ranges(SQLite::Database& database) {
  return read_ranges(database.getHandle());
}

/// The identity of a row; all zero when the table was emptied by somebody.
Identity identity_of(const std::vector<IdentityRange>& ranges, std::int64_t row) noexcept;

/// Highest row id ever given in this file, 0 for none. The tombstone keeps it when the newest row goes.
std::int64_t newest_row(SQLite::Database& database);

/// Random bits that name the file from its making on; they tell whether a relay file belongs to it.
Identity read_origin(SQLite::Database& database);

/// Why a new range has to begin; empty: none. `record`: what the relay file remembers.
std::string reason_for_new_range(const std::vector<IdentityRange>& ranges, std::int64_t newest,
                                 const Identity& origin, std::int64_t machine,
                                 const std::optional<RelayRecord>& record);

/// Makes the next row the one behind `row`, where the file has none as new. Inside the caller's transaction.
void go_on_behind(SQLite::Database& database, std::int64_t row);

/// Begins a range behind `newest` and removes ranges without rows. Inside the caller's transaction.
void begin_range(SQLite::Database& database, std::int64_t newest, std::int64_t machine,
                 const std::string& reason);

}  // namespace satchel::store
