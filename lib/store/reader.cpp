// SPDX-License-Identifier: MIT
#include "store/reader.hpp"

#include "base/headers.hpp"
#include "store/ages.hpp"
#include "store/boots.hpp"
#include "store/priorities.hpp"
#include "store/retry_text.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace satchel::store {
namespace {

DeadLetter decode(Statement& row, Offsets& offsets, SQLite::Database& database) {
  DeadLetter dead;
  dead.id.row = row.integer(0);
  const std::string_view identity = row.text(1);
  // Of a damaged file it may be shorter, or nothing at all, which memcpy does not take.
  std::copy_n(identity.begin(), std::min(identity.size(), dead.id.identity.size()), dead.id.identity.begin());
  dead.message.topic = row.text(2);
  dead.message.payload = row.text(3);
  dead.message.key = row.text(4);
  dead.message.content_type = row.text(5);
  try {
    if (!row.is_null(6)) dead.message.headers = decode_headers(row.text(6));
  } catch (const Error&) {
    // The message may have died of just that; the rest of it is still worth showing.
    dead.message.headers.clear();
  }
  const auto moment = [&](int boot, int at) {
    Moment when{row.optional_integer(boot), row.optional_integer(at), std::nullopt};
    if (when.boot) when.wall_offset = offsets.of(database, *when.boot);
    return wall_time_of(when);
  };
  dead.created = moment(7, 8);
  if (!row.is_null(9)) dead.message.expires_after = std::chrono::milliseconds{row.integer(9)};
  dead.reason = static_cast<DeadReason>(row.integer(10));
  dead.attempts =
      static_cast<int>(std::clamp<std::int64_t>(row.integer(11), 0, std::numeric_limits<int>::max()));
  dead.first_error = row.text(12);
  dead.last_error = row.text(13);
  dead.died = moment(14, 15);
  dead.message.priority = priority_of(row.optional_integer(16));
  if (!row.is_null(17)) dead.message.not_before = std::chrono::milliseconds{row.integer(17)};
  if (!row.is_null(18)) dead.message.retry = decode_retry(row.text(18));
  return dead;
}

std::int64_t one(SQLite::Database& database, const char* sql) {
  Statement statement{database, sql};
  return statement.step() ? statement.integer(0) : 0;
}

}  // namespace

Counts count(SQLite::Database& database) {
  Counts counts;
  Statement pending{database,
                    "SELECT count(*) FROM (SELECT 1 FROM satchel_message WHERE topic <> '' LIMIT ?)"};
  pending.bind(1, static_cast<std::int64_t>(kCountedExactly) + 1).step();
  counts.pending = static_cast<std::uint64_t>(pending.integer(0));
  pending.reset();
  counts.newest_row = newest_row(database);
  counts.pending_is_bound = counts.pending > kCountedExactly;
  if (counts.pending_is_bound) {
    const std::int64_t oldest = one(database, "SELECT min(id) FROM satchel_message");
    counts.pending = static_cast<std::uint64_t>(counts.newest_row - oldest + 1);
  }
  counts.dead = static_cast<std::uint64_t>(
      one(database, "SELECT count(*) FROM (SELECT 1 FROM satchel_dead LIMIT 100001)"));
  return counts;
}

std::vector<DeadLetter> list_dead(Connection& reader, std::size_t limit, std::int64_t after, bool retries) {
  SQLite::Database& database = reader.database();
  const std::string sql =
      "SELECT id, identity, topic, payload, key, content_type, headers, boot, created, ttl, reason, attempts,"
      " first_error, last_error, died_boot, died, priority, delay, " +
      std::string{retries ? "retry" : "NULL"} + " FROM satchel_dead WHERE id > ?1 ORDER BY id LIMIT ?2";
  Statement rows{database, sql.c_str()};
  rows.bind(1, after).bind(2, static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000'000)));
  Offsets offsets;
  std::vector<DeadLetter> letters;
  while (rows.step()) letters.push_back(decode(rows, offsets, database));
  return letters;
}

std::vector<Dropped> list_dropped(Connection& reader) {
  Statement rows{reader.database(),
                 "SELECT reason, topic, messages, unconfirmed FROM satchel_dropped ORDER BY reason, topic"};
  const auto number = [&](int column) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(rows.integer(column), 0));
  };
  std::vector<Dropped> dropped;
  while (rows.step())
    dropped.push_back(
        {static_cast<DropReason>(rows.integer(0)), std::string{rows.text(1)}, number(2), number(3)});
  return dropped;
}

}  // namespace satchel::store
