// SPDX-License-Identifier: MIT
#include "store/figures.hpp"

#include "store/ages.hpp"
#include "store/boots.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <utility>

namespace satchel::store {
namespace {

std::uint64_t count_of(SQLite::Database& database, const char* sql) {
  Statement statement{database, sql};
  return statement.step() ? static_cast<std::uint64_t>(std::max<std::int64_t>(statement.integer(0), 0)) : 0;
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from - std::min(from, what); }

std::optional<std::chrono::milliseconds> oldest_age(SQLite::Database& database, const Clock& clock) {
  Statement oldest{database,
                   "SELECT m.boot, m.created, b.wall_offset FROM satchel_message m NOT INDEXED"
                   " LEFT JOIN satchel_boot b ON b.boot = m.boot WHERE m.topic <> '' ORDER BY m.id LIMIT 1"};
  if (!oldest.step()) return std::nullopt;
  const Moment born{oldest.optional_integer(0), oldest.optional_integer(1), oldest.optional_integer(2)};
  Present present;
  // A boot that the file has not seen yet has a number that no message has.
  present.boot = -1;
  present.now = to_ms(clock.now());
  present.trusted = clock.wall().trusted;
  if (const std::optional<Boot> boot = find_boot(database, clock.boot_id())) {
    present.boot = boot->number;
    present.wall_offset = boot->wall_offset;
  }
  if (!present.wall_offset) present.wall_offset = trusted_offset(clock);
  const std::optional<std::int64_t> age = age_of(born, present);
  if (!age) return std::nullopt;
  return std::chrono::milliseconds{*age};
}

DroppedByReason dropped_by_reason(SQLite::Database& database) {
  DroppedByReason dropped;
  // At most 201 topics of each reason.
  Statement rows{database, "SELECT reason, messages FROM satchel_dropped"};
  while (rows.step()) {
    const auto messages = static_cast<std::uint64_t>(std::max<std::int64_t>(rows.integer(1), 0));
    switch (static_cast<DropReason>(rows.integer(0))) {
      case DropReason::expired:
        dropped.expired += messages;
        break;
      case DropReason::quota:
        dropped.quota += messages;
        break;
      case DropReason::coalesced:
        dropped.coalesced += messages;
        break;
      case DropReason::discarded:
        dropped.discarded += messages;
        break;
    }
  }
  return dropped;
}

}  // namespace

Parts count_parts(Connection& reader, std::int64_t schema) {
  SQLite::Database& database = reader.database();
  Parts parts;
  parts.failing = count_of(
      database,
      "SELECT count(*) FROM (SELECT 1 FROM satchel_attempt a CROSS JOIN satchel_message m ON m.id = a.id"
      " WHERE m.topic <> '' LIMIT 100000)");
  // The indexes are of the second version; without them every row would be read.
  if (schema < 2) return parts;
  Statement by_priority{database,
                        "SELECT count(*) FROM (SELECT 1 FROM satchel_message INDEXED BY"
                        " satchel_message_by_priority WHERE priority = ?1 LIMIT 100000)"};
  for (const auto& [priority, field] : {std::pair{1, &parts.urgent}, std::pair{2, &parts.bulk}}) {
    const Use use{by_priority};
    if (by_priority.bind(1, static_cast<std::int64_t>(priority)).step())
      *field = static_cast<std::uint64_t>(by_priority.integer(0));
  }
  parts.delayed = count_of(database,
                           "SELECT count(*) FROM (SELECT 1 FROM satchel_message INDEXED BY"
                           " satchel_message_by_delay WHERE delay IS NOT NULL LIMIT 100000)");
  return parts;
}

QuotaLeft quota_left(const Quota& quota, Connection& reader, const Counts& counts) {
  SQLite::Database& database = reader.database();
  QuotaLeft left;
  if (quota.messages == 0 && quota.bytes == 0) return left;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  if (quota.exact) {
    Statement exact{database,
                    "SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM satchel_quota"};
    if (exact.step()) {
      messages = static_cast<std::uint64_t>(std::max<std::int64_t>(exact.integer(0), 0));
      bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(exact.integer(1), 0));
    }
  } else {
    // As `QuotaMeter` counts.
    const std::uint64_t oldest = count_of(
        database,
        "SELECT coalesce((SELECT id FROM satchel_message NOT INDEXED WHERE topic <> '' ORDER BY id), 0)");
    if (oldest > 0) messages = less(static_cast<std::uint64_t>(counts.newest_row) + 1, oldest);
    bytes = less(count_of(database, "PRAGMA page_count"), count_of(database, "PRAGMA freelist_count")) *
            reader.page_size();
  }
  if (quota.messages != 0) left.messages = less(quota.messages, messages);
  if (quota.bytes != 0) left.bytes = less(quota.bytes, bytes);
  return left;
}

Figures measure(Connection& reader, const std::string& path, const Quota& quota, const Clock& clock) {
  Figures figures;
  figures.counts = count(reader.database());
  figures.parts = count_parts(reader, 2);
  figures.oldest_age = oldest_age(reader.database(), clock);
  figures.dropped = dropped_by_reason(reader.database());
  figures.quota_left = quota_left(quota, reader, figures.counts);
  figures.wal_bytes = size_of_file(path + "-wal");
  figures.device_bytes = room_beside(path);
  return figures;
}

void visit_topics(Connection& reader, std::size_t limit, const std::function<void(std::string_view)>& visit) {
  Statement rows{reader.database(),
                 "SELECT topic FROM satchel_message NOT INDEXED WHERE topic <> '' ORDER BY id LIMIT ?1"};
  rows.bind(1, static_cast<std::int64_t>(limit));
  while (rows.step()) visit(rows.text(0));
}

std::uint64_t size_of_file(const std::string& path) noexcept {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::uint64_t room_beside(const std::string& path) noexcept {
  struct statvfs system {};
  if (::statvfs(path.c_str(), &system) != 0) return 0;
  return static_cast<std::uint64_t>(system.f_bavail) * system.f_frsize;
}

}  // namespace satchel::store
