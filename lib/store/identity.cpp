// SPDX-License-Identifier: MIT
#include "store/identity.hpp"

#include "store/errors.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

namespace satchel::store {
namespace {

Identity from_bytes(std::string_view bytes) {
  Identity identity{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), identity.size()), identity.begin());
  return identity;
}

Identity random_identity() {
  Identity identity{};
  if (::getentropy(identity.data(), identity.size()) != 0) {
    throw_system_error("make an identity", "the kernel gives no random bits", errno);
  }
  return identity;
}

/// A range whose rows are all gone names nothing any more.
void prune(SQLite::Database& database) {
  Statement{
      database,
      "DELETE FROM satchel_identity WHERE first_id < (SELECT max(first_id) FROM satchel_identity)"
      " AND NOT EXISTS (SELECT 1 FROM satchel_message WHERE id >= satchel_identity.first_id AND id <"
      "  (SELECT min(n.first_id) FROM satchel_identity n WHERE n.first_id > satchel_identity.first_id))"
      " AND NOT EXISTS (SELECT 1 FROM satchel_dead WHERE id >= satchel_identity.first_id AND id <"
      "  (SELECT min(n.first_id) FROM satchel_identity n WHERE n.first_id > satchel_identity.first_id))"}
      .run();
}

}  // namespace

std::vector<IdentityRange> read_ranges(Statement& rows) {
  std::vector<IdentityRange> ranges;
  Use use{rows};
  while (rows.step()) ranges.push_back({rows.integer(0), from_bytes(rows.text(1)), rows.integer(2)});
  return ranges;
}

std::vector<IdentityRange> read_ranges(sqlite3* database) {
  Statement rows{database, kAllRanges};
  return read_ranges(rows);
}

Identity identity_of(const std::vector<IdentityRange>& ranges, std::int64_t row) noexcept {
  const auto next =
      std::upper_bound(ranges.begin(), ranges.end(), row,
                       [](std::int64_t id, const IdentityRange& range) { return id < range.first; });
  return next == ranges.begin() ? Identity{} : std::prev(next)->identity;
}

std::int64_t newest_row(SQLite::Database& database) {
  Statement newest{database, "SELECT max(id) FROM satchel_message"};
  return newest.step() ? newest.integer(0) : 0;
}

Identity read_origin(SQLite::Database& database) {
  Statement origin{database, "SELECT value FROM satchel_state WHERE name = 'origin'"};
  return origin.step() ? from_bytes(origin.text(0)) : Identity{};
}

std::string reason_for_new_range(const std::vector<IdentityRange>& ranges, std::int64_t newest,
                                 const Identity& origin, std::int64_t machine,
                                 const std::optional<RelayRecord>& record) {
  if (ranges.empty()) return "created";
  if (ranges.back().machine != machine) return "cloned";
  // The ids between were given away and sent by a later state of this file. Behind a range that begins there
  // already they cannot come again.
  if (record && record->origin == origin && record->highest_sent > newest) return "restored";
  return {};
}

void go_on_behind(SQLite::Database& database, std::int64_t row) {
  // The tombstone of a message that this file has never held.
  Statement{database, "INSERT INTO satchel_message(id, topic) VALUES (?1, '')"}.bind(1, row).run();
}

void begin_range(SQLite::Database& database, std::int64_t newest, std::int64_t machine,
                 const std::string& reason) {
  const Identity identity = random_identity();
  const std::string_view bytes{reinterpret_cast<const char*>(identity.data()), identity.size()};
  // A range without rows may stand at the same place: a clone must not share even that one.
  Statement{
      database,
      "INSERT OR REPLACE INTO satchel_identity(first_id, identity, machine, reason) VALUES (?, ?, ?, ?)"}
      .bind(1, newest + 1)
      .bind_blob(2, bytes)
      .bind(3, machine)
      .bind_text(4, reason)
      .run();
  prune(database);
}

}  // namespace satchel::store
