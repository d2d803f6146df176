// SPDX-License-Identifier: MIT
#include "store/boots.hpp"

#include "store/statement.hpp"

namespace satchel::store {

std::optional<Boot> find_boot(SQLite::Database& database, const std::string& boot_id) {
  Statement row{database, "SELECT boot, wall_offset FROM satchel_boot WHERE boot_id = ?"};
  if (!row.bind_text(1, boot_id).step()) return std::nullopt;
  return Boot{row.integer(0), row.optional_integer(1)};
}

Boot add_boot(SQLite::Database& database, const std::string& boot_id) {
  if (const std::optional<Boot> known = find_boot(database, boot_id)) return *known;
  Statement{database, "INSERT INTO satchel_boot(boot_id) VALUES (?)"}.bind_text(1, boot_id).run();
  const Boot boot{sqlite3_last_insert_rowid(database.getHandle()), std::nullopt};
  Statement{database, "DELETE FROM satchel_boot WHERE boot <= ?"}.bind(1, boot.number - kBootsKept).run();
  return boot;
}

void note_wall_offset(SQLite::Database& database, std::int64_t boot, std::int64_t wall_offset) {
  Statement{database, "UPDATE satchel_boot SET wall_offset = ?1 WHERE boot = ?2 AND wall_offset IS NULL"}
      .bind(1, wall_offset)
      .bind(2, boot)
      .run();
}

std::optional<std::int64_t> trusted_offset(const Clock& clock) {
  const WallReading wall = clock.wall();
  if (!wall.trusted) return std::nullopt;
  return subtract(wall.time.time_since_epoch().count(), to_ms(clock.now()));
}

void Offsets::begin() {
  std::erase_if(known_, [](const auto& entry) { return !entry.second.has_value(); });
}

std::optional<std::int64_t> Offsets::of(sqlite3* database, std::int64_t boot) {
  const auto found = known_.find(boot);
  if (found != known_.end()) return found->second;
  if (known_.size() >= static_cast<std::size_t>(kBootsKept)) known_.clear();
  Statement row{database, "SELECT wall_offset FROM main.satchel_boot WHERE boot = ?"};
  std::optional<std::int64_t> offset;
  if (row.bind(1, boot).step()) offset = row.optional_integer(0);
  return known_[boot] = offset;
}

}  // namespace satchel::store
