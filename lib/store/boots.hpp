// SPDX-License-Identifier: MIT
#pragma once

#include "store/ages.hpp"

#include <satchel/clock.hpp>

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace satchel::store {

/// One boot of the device, as the file knows it.
struct Boot {
  std::int64_t number = 0;
  std::optional<std::int64_t> wall_offset;
};

/// Boots that the file remembers; the times of messages from before them are unknown, so that they never
/// expire early.
inline constexpr std::int64_t kBootsKept = 1000;

/// The boot with this id; nothing when the file has not seen it. Writes nothing.
std::optional<Boot> find_boot(SQLite::Database& database, const std::string& boot_id);

/// Adds the boot, inside the caller's transaction, and forgets those that are too long ago.
Boot add_boot(SQLite::Database& database, const std::string& boot_id);

/// Writes down, once for a boot, how its clock relates to wall time: this dates all messages of the boot at
/// once.
void note_wall_offset(SQLite::Database& database, std::int64_t boot, std::int64_t wall_offset);

/// Wall time minus boot-clock time right now; nothing while the wall clock is not trusted.
std::optional<std::int64_t> trusted_offset(const Clock& clock);

/// Offsets of boots, read when they are asked for. One thread at a time.
class Offsets {
 public:
  /// Forgets what was unknown: it may be known by now.
  void begin();
  std::optional<std::int64_t> of(sqlite3* database, std::int64_t boot);
  std::optional<std::int64_t> of(SQLite::Database& database, std::int64_t boot) {
    return of(database.getHandle(), boot);
  }

 private:
  std::map<std::int64_t, std::optional<std::int64_t>> known_;
};

}  // namespace satchel::store
