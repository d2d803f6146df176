// SPDX-License-Identifier: MIT
#include "capi/convert.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

namespace satchel::capi {

namespace {

using std::chrono::milliseconds;

template <std::size_t Size>
void copy_text(char (&target)[Size], const std::string& source) noexcept {
  const std::size_t length = std::min(source.size(), Size - 1);
  std::memcpy(target, source.data(), length);
  target[length] = '\0';
}

std::int64_t ms_of(const std::optional<WallTime>& time) noexcept {
  return time ? std::int64_t{time->time_since_epoch().count()} : -1;
}

int attempts_of(std::int64_t attempts) {
  if (attempts < 0 || attempts > std::numeric_limits<int>::max()) {
    throw InvalidOption{"open", "max_attempts is " + std::to_string(attempts), "from 1 to 1000000"};
  }
  return static_cast<int>(attempts);
}

// Where a size has 32 bits, more is the most: it stays out of every range, or is as good as no limit.
std::size_t size_of(std::uint64_t number) noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(number, std::numeric_limits<std::size_t>::max()));
}

Durability durability_of(int durability) {
  if (durability == SATCHEL_DURABILITY_FULL) return Durability::full;
  if (durability == SATCHEL_DURABILITY_RELAXED) return Durability::relaxed;
  throw InvalidOption{"open", "durability is " + std::to_string(durability), "0 (full) or 1 (relaxed)"};
}

}  // namespace

satchel_options to_c(const Options& options) noexcept {
  satchel_options c{};
  c.size = sizeof c;
  c.durability =
      options.durability == Durability::full ? SATCHEL_DURABILITY_FULL : SATCHEL_DURABILITY_RELAXED;
  c.external_writers = options.external_writers ? 1 : 0;
  c.polling_interval_ms = options.polling_interval.count();
  c.max_attempts = options.max_attempts;
  c.max_age_ms = options.max_age.count();
  c.retry_backoff_ms = options.retry_backoff.base.count();
  c.retry_backoff_cap_ms = options.retry_backoff.cap.count();
  c.probe_backoff_ms = options.probe_backoff.base.count();
  c.probe_backoff_cap_ms = options.probe_backoff.cap.count();
  c.blocked_probe_ms = options.blocked_probe.count();
  c.claim_timeout_ms = options.claim_timeout.count();
  c.window = options.window;
  c.window_bytes = options.window_bytes;
  c.max_unsettled = options.max_unsettled;
  c.max_payload_bytes = options.max_payload_bytes;
  c.max_header_bytes = options.max_header_bytes;
  c.max_transaction_messages = options.max_transaction_messages;
  c.max_file_bytes = options.max_file_bytes;
  c.busy_timeout_ms = options.busy_timeout.count();
  c.batch_size = options.batch_size;
  c.settle_linger_ms = options.settle_linger.count();
  c.page_size = options.page_size;
  c.cache_bytes = options.cache_bytes;
  c.checkpoint_bytes = options.checkpoint_bytes;
  c.max_wal_bytes = options.max_wal_bytes;
  c.reserve = options.reserve ? 1 : 0;
  c.refuse_damaged = options.on_damage == OnDamage::refuse ? 1 : 0;
  c.check_at_open = options.check_at_open ? 1 : 0;
  return c;
}

Options to_cpp(const satchel_options& c) {
  Options options;
  options.durability = durability_of(c.durability);
  options.external_writers = c.external_writers != 0;
  options.polling_interval = milliseconds{c.polling_interval_ms};
  options.max_attempts = attempts_of(c.max_attempts);
  options.max_age = milliseconds{c.max_age_ms};
  options.retry_backoff.base = milliseconds{c.retry_backoff_ms};
  options.retry_backoff.cap = milliseconds{c.retry_backoff_cap_ms};
  options.probe_backoff.base = milliseconds{c.probe_backoff_ms};
  options.probe_backoff.cap = milliseconds{c.probe_backoff_cap_ms};
  options.blocked_probe = milliseconds{c.blocked_probe_ms};
  options.claim_timeout = milliseconds{c.claim_timeout_ms};
  options.window = size_of(c.window);
  options.window_bytes = size_of(c.window_bytes);
  options.max_unsettled = size_of(c.max_unsettled);
  options.max_payload_bytes = size_of(c.max_payload_bytes);
  options.max_header_bytes = size_of(c.max_header_bytes);
  options.max_transaction_messages = size_of(c.max_transaction_messages);
  options.max_file_bytes = c.max_file_bytes;
  options.busy_timeout = milliseconds{c.busy_timeout_ms};
  options.batch_size = size_of(c.batch_size);
  options.settle_linger = milliseconds{c.settle_linger_ms};
  options.page_size = size_of(c.page_size);
  options.cache_bytes = size_of(c.cache_bytes);
  options.checkpoint_bytes = size_of(c.checkpoint_bytes);
  options.max_wal_bytes = size_of(c.max_wal_bytes);
  options.reserve = c.reserve != 0;
  options.on_damage = c.refuse_damaged != 0 ? OnDamage::refuse : OnDamage::salvage;
  options.check_at_open = c.check_at_open != 0;
  options.device_id = text(c.device_id);
  options.vfs = text(c.vfs);
  return options;
}

Message to_cpp(const satchel_message& c, const char* operation) {
  Message message;
  message.topic = text(c.topic);
  if (c.payload_size > 0) {
    message.payload.assign(static_cast<const char*>(given(c.payload, operation, "the payload")),
                           c.payload_size);
  }
  message.key = text(c.key);
  message.content_type = text(c.content_type);
  if (c.header_count > 0) given(c.headers, operation, "the list of headers");
  for (std::size_t index = 0; index < c.header_count; ++index) {
    message.headers.push_back({given(c.headers[index].name, operation, "the name of a header"),
                               given(c.headers[index].value, operation, "the value of a header")});
  }
  if (c.expires_after_ms != 0) message.expires_after = milliseconds{c.expires_after_ms};
  return message;
}

satchel_message_id to_c(const MessageId& id) noexcept {
  satchel_message_id c{};
  static_assert(sizeof c.identity == std::tuple_size_v<Identity>);
  std::copy(id.identity.begin(), id.identity.end(), c.identity);
  c.row = id.row;
  return c;
}

MessageId to_cpp(const satchel_message_id& c) noexcept {
  MessageId id;
  std::copy(std::begin(c.identity), std::end(c.identity), id.identity.begin());
  id.row = c.row;
  return id;
}

satchel_status to_c(const Status& status) noexcept {
  satchel_status c{};
  c.size = sizeof c;
  c.pending = status.pending;
  c.pending_is_bound = status.pending_is_bound ? 1 : 0;
  c.leading = status.leading ? 1 : 0;
  c.running = status.running ? 1 : 0;
  c.sink = static_cast<int>(status.sink);
  c.in_flight = status.in_flight;
  c.unsettled = status.unsettled;
  c.delivered = status.delivered;
  c.retried = status.retried;
  c.expired = status.expired;
  c.dead = status.dead;
  c.newest_row = status.newest_row;
  copy_text(c.sink_problem, status.sink_problem);
  if (status.failure) copy_text(c.failure, status.failure->problem);
  return c;
}

// The numbers of the C interface are those of the C++ one.
static_assert(static_cast<int>(SinkState::none) == SATCHEL_SINK_NONE);
static_assert(static_cast<int>(SinkState::connecting) == SATCHEL_SINK_CONNECTING);
static_assert(static_cast<int>(SinkState::up) == SATCHEL_SINK_UP);
static_assert(static_cast<int>(SinkState::paused) == SATCHEL_SINK_PAUSED);
static_assert(static_cast<int>(SinkState::blocked) == SATCHEL_SINK_BLOCKED);
static_assert(static_cast<int>(DeadReason::rejected) == SATCHEL_DEAD_REJECTED);
static_assert(static_cast<int>(DeadReason::attempts) == SATCHEL_DEAD_ATTEMPTS);
static_assert(static_cast<int>(DeadReason::age) == SATCHEL_DEAD_AGE);
static_assert(static_cast<int>(DeadReason::crashed) == SATCHEL_DEAD_CRASHED);
static_assert(static_cast<int>(DeadReason::damaged) == SATCHEL_DEAD_DAMAGED);

LetterView::LetterView(const DeadLetter& letter) {
  const Message& message = letter.message;
  for (const Header& header : message.headers)
    headers_.push_back({header.name.c_str(), header.value.c_str()});
  message_.size = sizeof message_;
  message_.topic = message.topic.c_str();
  message_.payload = message.payload.data();
  message_.payload_size = message.payload.size();
  message_.key = message.key.c_str();
  message_.content_type = message.content_type.c_str();
  message_.headers = headers_.data();
  message_.header_count = headers_.size();
  message_.expires_after_ms = message.expires_after ? message.expires_after->count() : 0;
  letter_.size = sizeof letter_;
  letter_.id = to_c(letter.id);
  letter_.message = &message_;
  letter_.reason = static_cast<int>(letter.reason);
  letter_.attempts = letter.attempts;
  letter_.first_error = letter.first_error.c_str();
  letter_.last_error = letter.last_error.c_str();
  letter_.created_ms = ms_of(letter.created);
  letter_.died_ms = ms_of(letter.died);
}

}  // namespace satchel::capi
