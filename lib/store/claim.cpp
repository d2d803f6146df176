// SPDX-License-Identifier: MIT
#include "store/claim.hpp"

#include "base/headers.hpp"
#include "base/validate.hpp"
#include "store/priorities.hpp"
#include "store/retry_text.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <limits>

namespace satchel::store {
namespace {

constexpr std::size_t kMaxTombstones = 1000;
constexpr std::size_t kMaxFirstSeen = 10'000;

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

Claims::Claims(Connection& connection)
    : connection_{connection},
      any_attempts_{connection.database(), "SELECT 1 FROM satchel_attempt LIMIT 1"},
      any_message_{connection.database(),
                   "SELECT id FROM satchel_message NOT INDEXED WHERE topic <> '' LIMIT 1"},
      same_row_{connection.database(), "SELECT 1 FROM satchel_message WHERE id = ?1 AND id > 0"} {}

Statement& Claims::statement(const ClaimShape& shape) {
  std::unique_ptr<Prepared>& prepared = statements_[index_of(shape)];
  if (!prepared) prepared = std::make_unique<Prepared>(connection_, shape);
  return prepared->statement;
}

namespace {

/// SQLite follows damaged pages wherever they lead.
[[noreturn]] void throw_disorder() {
  throw SQLite::Exception{"the rows of satchel_message or its index are out of order", SQLITE_CORRUPT};
}

/// How to read what is asked for. Normal messages have no entry in the index of priorities.
ClaimShape shape_of(const ClaimQuery& query) {
  using By = ClaimShape::By;
  ClaimShape shape;
  if (query.row) {
    shape.by = By::row;
  } else if (query.key) {
    shape.by = By::key;
  } else {
    if (query.priority && code_of(*query.priority)) shape.by = By::priority;
    shape.down = query.before.has_value();
  }
  // A row that is not for this route may be large.
  shape.heads = query.accepts != nullptr && !query.row;
  return shape;
}

void bind(Statement& rows, const ClaimShape& shape, const ClaimQuery& query) {
  using By = ClaimShape::By;
  rows.bind(1, query.after);
  if (shape.by == By::row) rows.bind(2, *query.row);
  if (shape.by == By::key) rows.bind_text(2, *query.key);
  if (shape.by == By::priority) rows.bind(2, code_of(*query.priority));
  if (shape.down) rows.bind(3, *query.before);
}

std::size_t size_of(const StoredMessage& message) {
  std::size_t bytes =
      message.topic.size() + message.payload.size() + message.key.size() + message.content_type.size();
  for (const Header& header : message.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

bool Claims::wanted(const ClaimQuery& query, Statement& row) {
  if (!query.row && !row.is_null(kDelay)) return false;
  if (query.priority && priority_of(row.optional_integer(kPriority)) != *query.priority) return false;
  return !query.accepts || query.accepts(row.text(kTopic));
}

Claimed Claims::read(const ClaimQuery& query, const Present& present) {
  ClaimShape shape = shape_of(query);
  {
    Use any{any_attempts_};
    shape.attempts = any->step();
  }
  offsets_.begin();
  Use rows{statement(shape)};
  bind(*rows.operator->(), shape, query);

  Claimed found;
  std::vector<StoredMessage>& messages = found.messages;
  std::size_t bytes = 0;
  std::size_t looked_at = 0;
  bool any_message = false;
  std::int64_t last = shape.down ? *query.before : query.after;
  bool more = false;
  while (messages.size() < query.max_count && looked_at < std::max<std::size_t>(query.max_rows, 1) &&
         (more = rows->step())) {
    Statement& row = *rows.operator->();
    // The relay relies on the order of rows, and on keys being the one that it asked for.
    const std::int64_t id = row.integer(kId);
    if (shape.down ? id >= last : id <= last) throw_disorder();
    last = id;
    ++looked_at;
    if (row.text(kTopic).empty()) {
      // An idle outbox has one, and meets it with each look from the first row on.
      const bool known = !tombstones_.empty() && tombstones_.back() == last;
      if (!known && tombstones_.size() < kMaxTombstones) tombstones_.push_back(last);
      continue;
    }
    any_message = true;
    if (!wanted(query, row)) continue;
    messages.push_back(shape.heads ? read_row(last, shape.attempts, present)
                                   : decode(row, shape.attempts, present));
    if (query.key && !query.row && messages.back().key != *query.key) throw_disorder();
    bytes += size_of(messages.back());
    if (bytes >= query.max_bytes) break;
  }
  const bool all_rows = shape.by == ClaimShape::By::row_order && query.after == 0 && !query.before;
  if (all_rows && !any_message && !more) miss_none();
  if (more) found.last = last;
  return found;
}

StoredMessage Claims::read_row(std::int64_t row, bool with_attempts, const Present& present) {
  ClaimShape whole;
  whole.by = ClaimShape::By::row;
  whole.attempts = with_attempts;
  Use one{statement(whole)};
  one->bind(1, std::int64_t{0}).bind(2, row);
  if (!one->step())
    throw SQLite::Exception{"a row is in satchel_message or its index and cannot be found by its id",
                            SQLITE_CORRUPT};
  return decode(*one.operator->(), with_attempts, present);
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
  message.id.row = row.integer(kId);
  message.topic = own(row.text(kTopic));
  message.payload = own(row.text(kPayload));
  message.key = own(row.text(kKey));
  message.content_type = own(row.text(kContentType));
  message.priority = priority_of(row.optional_integer(kPriority));
  if (!row.is_null(kRetry)) message.retry = decode_retry(row.text(kRetry));
  message.sequence = row.optional_integer(kSequence);
  check_readable(message, row.text(kHeaders));
  date(message, row, present);
  if (with_attempts && !row.is_null(kAttempts)) {
    const auto attempts =
        std::clamp<std::int64_t>(row.integer(kAttempts), 0, std::numeric_limits<int>::max());
    message.attempts = static_cast<int>(attempts);
    message.suspect = row.integer(kSuspect) != 0;
    // A due time of an earlier boot means nothing on this boot's clock: the message may be sent now.
    if (row.optional_integer(kDueBoot) == present.boot && !row.is_null(kDue))
      message.due = from_ms(row.integer(kDue));
    message.aged = std::chrono::milliseconds{row.integer(kAged)};
  }
  return message;
}

void Claims::date(StoredMessage& message, Statement& row, const Present& present) {
  Moment born{row.optional_integer(kBoot), row.optional_integer(kCreated), std::nullopt};
  const std::optional<std::int64_t> time_to_live = row.optional_integer(kTimeToLive);
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
