// SPDX-License-Identifier: MIT
#include "store/browse.hpp"

#include "base/headers.hpp"
#include "store/boots.hpp"
#include "store/priorities.hpp"
#include "store/retry_text.hpp"

#include <satchel/error.hpp>
#include <satchel/topic_rule.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace satchel::store {
namespace {

using std::chrono::milliseconds;

/// Rows of one read.
constexpr std::int64_t kSlice = 10'000;

enum Column : int {
  kId,
  kTopic,
  kKey,
  kContentType,
  kHeaders,
  kPriority,
  kBoot,
  kCreated,
  kDelay,
  kTimeToLive,
  kAttempts,
  kFirstError,
  kLastError,
  kDueBoot,
  kDue,
  kPayload,
  kRetry,
};

enum class From { first_row, rows, key, failed, row };

// Rows are greater than ?1, at most ?2 of them; ?3 is a key or a row.
std::string sql_for(From from, bool payload, bool retries) {
  std::string sql =
      "SELECT m.id, m.topic, m.key, m.content_type, m.headers, m.priority, m.boot, m.created, m.delay, m.ttl,"
      " a.attempts, a.first_error, a.last_error, a.boot, a.due, ";
  sql += payload ? "m.payload" : "NULL";
  sql += retries ? ", m.retry" : ", NULL";
  if (from == From::failed) {
    return sql + " FROM satchel_attempt a CROSS JOIN satchel_message m ON m.id = a.id" +
           " WHERE a.id > ?1 ORDER BY a.id LIMIT ?2";
  }
  sql += " FROM satchel_message m";
  sql += from == From::key ? " INDEXED BY satchel_message_by_key" : " NOT INDEXED";
  sql += " LEFT JOIN satchel_attempt a ON a.id = m.id WHERE m.id > ?1";
  if (from == From::key) sql += " AND m.key = ?3";
  if (from == From::row) sql += " AND m.id = ?3";
  // Otherwise tombstones are left out when the row is read: they count as read.
  if (from == From::first_row) sql += " AND m.topic <> ''";
  return sql + " ORDER BY m.id LIMIT ?2";
}

class Reading {
 public:
  Reading(Connection& reader, const Surroundings& around) : database_{reader.database()}, around_{around} {}

  PendingMessage decode(Statement& row) {
    PendingMessage found;
    found.id.row = row.integer(kId);
    found.id.identity = identity_of(around_.ranges, found.id.row);
    found.message.topic = row.text(kTopic);
    found.message.payload = row.text(kPayload);
    found.message.key = row.text(kKey);
    found.message.content_type = row.text(kContentType);
    try {
      if (!row.is_null(kHeaders)) found.message.headers = decode_headers(row.text(kHeaders));
    } catch (const Error& failure) {
      found.damage = failure.what();
    }
    found.message.priority = priority_of(row.optional_integer(kPriority));
    if (!row.is_null(kTimeToLive)) found.message.expires_after = milliseconds{row.integer(kTimeToLive)};
    if (!row.is_null(kDelay)) found.message.not_before = milliseconds{row.integer(kDelay)};
    if (!row.is_null(kRetry)) found.message.retry = decode_retry(row.text(kRetry));
    found.delayed = found.message.not_before.has_value();
    found.in_flight = std::binary_search(around_.in_flight.begin(), around_.in_flight.end(), found.id.row);
    date(found, row);
    add_attempts(found, row);
    return found;
  }

 private:
  void date(PendingMessage& found, Statement& row) {
    Moment born{row.optional_integer(kBoot), row.optional_integer(kCreated), std::nullopt};
    if (born.boot) born.wall_offset = offsets_.of(database_, *born.boot);
    found.created = wall_time_of(born);
    if (const auto age = age_of(born, around_.present)) found.age = milliseconds{*age};
  }

  void add_attempts(PendingMessage& found, Statement& row) const {
    if (row.is_null(kAttempts)) return;
    found.attempts = static_cast<int>(
        std::clamp<std::int64_t>(row.integer(kAttempts), 0, std::numeric_limits<int>::max()));
    found.first_error = row.text(kFirstError);
    found.last_error = row.text(kLastError);
    if (row.is_null(kDue) || row.optional_integer(kDueBoot) != around_.present.boot) return;
    const std::int64_t left = subtract(row.integer(kDue), around_.present.now);
    if (left > 0) found.next_attempt = milliseconds{left};
  }

  SQLite::Database& database_;
  const Surroundings& around_;
  Offsets offsets_;
};

std::optional<PendingMessage> one(Connection& reader, From from, std::int64_t row, bool payload,
                                  const Surroundings& around) {
  const std::string sql = sql_for(from, payload, around.retries);
  Statement statement{reader.database(), sql.c_str()};
  statement.bind(1, std::int64_t{0}).bind(2, std::int64_t{1});
  if (from == From::row) statement.bind(3, row);
  if (!statement.step() || statement.text(kTopic).empty()) return std::nullopt;
  return Reading{reader, around}.decode(statement);
}

}  // namespace

std::vector<PendingMessage> browse(Connection& reader, const MessageQuery& query,
                                   const Surroundings& around) {
  From from = From::rows;
  if (query.failed) from = From::failed;
  if (!query.failed && !query.key.empty()) from = From::key;
  const std::string sql = sql_for(from, !query.without_payload, around.retries);
  Statement rows{reader.database(), sql.c_str()};
  Reading reading{reader, around};
  std::vector<PendingMessage> found;
  std::int64_t after = query.after;
  for (bool more = true; more && found.size() < query.limit;) {
    const Use read{rows};
    rows.bind(1, after).bind(2, kSlice);
    if (from == From::key) rows.bind_text(3, query.key);
    std::int64_t looked_at = 0;
    while (found.size() < query.limit && rows.step()) {
      after = rows.integer(kId);
      ++looked_at;
      const std::string_view topic = rows.text(kTopic);
      if (topic.empty() || (!query.topics.empty() && !topic_matches(query.topics, topic))) continue;
      if (!query.key.empty() && rows.text(kKey) != query.key) continue;
      found.push_back(reading.decode(rows));
    }
    more = looked_at == kSlice;
  }
  return found;
}

std::optional<PendingMessage> browse_row(Connection& reader, std::int64_t row, const Surroundings& around) {
  return one(reader, From::row, row, true, around);
}

std::optional<PendingMessage> browse_oldest(Connection& reader, const Surroundings& around) {
  return one(reader, From::first_row, 0, false, around);
}

}  // namespace satchel::store
