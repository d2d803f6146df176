// SPDX-License-Identifier: MIT
#include "store/claim.hpp"

#include "base/headers.hpp"
#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <limits>

namespace satchel::store {
namespace {

// The order of the columns is that of `decode`.
#define SATCHEL_COLUMNS "m.id, m.topic, m.payload, m.key, m.content_type, m.headers, m.boot, m.created, m.ttl"
#define SATCHEL_ATTEMPTS ", a.attempts, a.suspect, a.boot, a.due, a.aged"
#define SATCHEL_JOIN " LEFT JOIN satchel_attempt a ON a.id = m.id"
constexpr const char* kPlain =
    "SELECT " SATCHEL_COLUMNS " FROM satchel_message m NOT INDEXED WHERE m.id > ?1 ORDER BY m.id";
constexpr const char* kPlainAttempts =
    "SELECT " SATCHEL_COLUMNS SATCHEL_ATTEMPTS " FROM satchel_message m NOT INDEXED" SATCHEL_JOIN
    " WHERE m.id > ?1 ORDER BY m.id";
constexpr const char* kKey = "SELECT " SATCHEL_COLUMNS
                             " FROM satchel_message m INDEXED BY satchel_message_by_key"
                             " WHERE m.key = ?2 AND m.id > ?1 ORDER BY m.id";
constexpr const char* kKeyAttempts = "SELECT " SATCHEL_COLUMNS SATCHEL_ATTEMPTS
                                     " FROM satchel_message m INDEXED BY satchel_message_by_key" SATCHEL_JOIN
                                     " WHERE m.key = ?2 AND m.id > ?1 ORDER BY m.id";
constexpr const char* kRow =
    "SELECT " SATCHEL_COLUMNS " FROM satchel_message m WHERE m.id = ?2 AND m.id > ?1";
constexpr const char* kRowAttempts = "SELECT " SATCHEL_COLUMNS SATCHEL_ATTEMPTS
                                     " FROM satchel_message m" SATCHEL_JOIN " WHERE m.id = ?2 AND m.id > ?1";
#undef SATCHEL_COLUMNS
#undef SATCHEL_ATTEMPTS
#undef SATCHEL_JOIN

constexpr std::size_t kMaxTombstones = 1000;
constexpr std::size_t kMaxFirstSeen = 10'000;
constexpr int kFirstAttemptColumn = 9;

std::string own(std::string_view text) { return std::string{text}; }

void check_readable(StoredMessage& message, std::string_view headers) {
  message.damage = topic_fault(message.topic);
  if (message.damage.empty() && !is_utf8(message.key)) message.damage = "the key is not UTF-8";
  if (message.damage.empty() && !is_utf8(message.content_type))
    message.damage = "the content type is not UTF-8";
  if (headers.empty()) return;
  try {
    message.headers = decode_headers(headers);
  } catch (const Error& error) {
    if (message.damage.empty()) message.damage = "the headers cannot be read: " + error.problem();
  }
}

}  // namespace

const char* Claims::sql(Kind kind, bool with_attempts) noexcept {
  switch (kind) {
    case Kind::key:
      return with_attempts ? kKeyAttempts : kKey;
    case Kind::row:
      return with_attempts ? kRowAttempts : kRow;
    case Kind::plain:
      break;
  }
  return with_attempts ? kPlainAttempts : kPlain;
}

Claims::Claims(Connection& connection)
    : connection_{connection},
      any_attempts_{connection.database(), "SELECT 1 FROM satchel_attempt LIMIT 1"},
      any_message_{connection.database(),
                   "SELECT id FROM satchel_message NOT INDEXED WHERE topic <> '' LIMIT 1"},
      same_row_{connection.database(), "SELECT 1 FROM satchel_message WHERE id = ?1 AND id > 0"} {
  for (std::size_t i = 0; i < statements_.size(); ++i) {
    statements_[i] =
        std::make_unique<Statement>(connection.database(), sql(static_cast<Kind>(i / 2), i % 2 == 1));
  }
}

Claimed Claims::read(const ClaimQuery& query, const Present& present) {
  bool with_attempts = false;
  {
    Use any{any_attempts_};
    with_attempts = any->step();
  }
  offsets_.begin();
  const Kind kind = query.row ? Kind::row : query.key ? Kind::key : Kind::plain;
  Use rows{*statements_[static_cast<std::size_t>(kind) * 2 + (with_attempts ? 1 : 0)]};
  rows->bind(1, query.after);
  if (query.row) rows->bind(2, *query.row);
  if (query.key && !query.row) rows->bind_text(2, *query.key);

  Claimed found;
  std::vector<StoredMessage>& messages = found.messages;
  std::size_t bytes = 0;
  std::int64_t last = query.after;
  bool more = false;
  while (messages.size() < query.max_count && (more = rows->step())) {
    // SQLite follows damaged pages wherever they lead, and the relay relies on the order of rows.
    if (rows->integer(0) <= last || (kind == Kind::key && rows->text(3) != *query.key))
      throw SQLite::Exception{"the rows of satchel_message or its index are out of order", SQLITE_CORRUPT};
    last = rows->integer(0);
    if (rows->text(1).empty()) {
      if (tombstones_.size() < kMaxTombstones) tombstones_.push_back(rows->integer(0));
      continue;
    }
    StoredMessage& message = messages.emplace_back(decode(*rows.operator->(), with_attempts, present));
    bytes += message.topic.size() + message.payload.size() + message.key.size() + message.content_type.size();
    for (const Header& header : message.headers) bytes += header.name.size() + header.value.size();
    if (bytes >= query.max_bytes) break;
  }
  if (messages.empty() && kind == Kind::plain && query.after == 0) miss_none();
  if (more) found.last = last;
  return found;
}

void Claims::miss_none() {
  Use any{any_message_};
  if (!any->step()) return;
  const std::int64_t row = any->integer(0);
  Use same{same_row_};
  same->bind(1, row);
  // One that was committed a moment ago is found by its id, too.
  if (same->step()) return;
  throw SQLite::Exception{"a message is in the table and cannot be found by its row id", SQLITE_CORRUPT};
}

void Claims::swept(std::int64_t settled) {
  for (const std::int64_t tombstone : tombstones_) settled = std::max(settled, tombstone);
  tombstones_.assign(1, settled);
}

StoredMessage Claims::decode(Statement& row, bool with_attempts, const Present& present) {
  StoredMessage message;
  message.id.row = row.integer(0);
  message.topic = own(row.text(1));
  message.payload = own(row.text(2));
  message.key = own(row.text(3));
  message.content_type = own(row.text(4));
  check_readable(message, row.text(5));
  date(message, row, present);
  if (with_attempts && !row.is_null(kFirstAttemptColumn)) {
    const auto attempts = std::clamp<std::int64_t>(row.integer(9), 0, std::numeric_limits<int>::max());
    message.attempts = static_cast<int>(attempts);
    message.suspect = row.integer(10) != 0;
    // A due time of an earlier boot means nothing on this boot's clock: the message may be sent now.
    if (row.optional_integer(11) == present.boot && !row.is_null(12)) message.due = from_ms(row.integer(12));
    message.aged = std::chrono::milliseconds{row.integer(13)};
  }
  return message;
}

void Claims::date(StoredMessage& message, Statement& row, const Present& present) {
  Moment born{row.optional_integer(6), row.optional_integer(7), std::nullopt};
  const std::optional<std::int64_t> time_to_live = row.optional_integer(8);
  if (born.boot == present.boot) {
    born.wall_offset = present.wall_offset;
  } else if (born.boot) {
    born.wall_offset = offsets_.of(connection_.database(), *born.boot);
  }
  message.created = wall_time_of(born);
  if (!time_to_live) return;
  std::optional<std::int64_t> age = age_of(born, present);
  if (!age) age = age_of(first_seen(message.id.row, present), present);
  message.remaining = remaining_of(*time_to_live, age.value_or(0));
}

Moment Claims::first_seen(std::int64_t row, const Present& present) {
  // The oldest are forgotten first: they are the ones that were delivered, and forgetting only makes younger.
  while (first_seen_.size() >= kMaxFirstSeen && !first_seen_.contains(row))
    first_seen_.erase(first_seen_.begin());
  const auto seen = first_seen_.emplace(row, present.now).first;
  return Moment{present.boot, seen->second, std::nullopt};
}

void Claims::name(std::vector<StoredMessage>& messages, const std::vector<IdentityRange>& ranges) const {
  for (StoredMessage& message : messages) message.id.identity = identity_of(ranges, message.id.row);
}

}  // namespace satchel::store
