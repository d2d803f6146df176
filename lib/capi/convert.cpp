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

int c_priority(const std::optional<Priority>& priority) noexcept {
  if (!priority) return SATCHEL_PRIORITY_UNSET;
  if (*priority == Priority::urgent) return SATCHEL_PRIORITY_URGENT;
  return *priority == Priority::bulk ? SATCHEL_PRIORITY_BULK : SATCHEL_PRIORITY_NORMAL;
}

std::optional<Priority> priority_of(int priority, const char* operation) {
  switch (priority) {
    case SATCHEL_PRIORITY_UNSET:
      return std::nullopt;
    case SATCHEL_PRIORITY_NORMAL:
      return Priority::normal;
    case SATCHEL_PRIORITY_URGENT:
      return Priority::urgent;
    case SATCHEL_PRIORITY_BULK:
      return Priority::bulk;
    default:
      throw InvalidMessage{operation, "priority is " + std::to_string(priority), "a satchel_priority"};
  }
}

}  // namespace

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
  if (c.not_before_ms != 0) message.not_before = milliseconds{c.not_before_ms};
  message.priority = priority_of(c.priority, operation);
  if (c.coalesce != 0) message.coalesce = true;
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
static_assert(static_cast<int>(DropReason::expired) == SATCHEL_DROP_EXPIRED);
static_assert(static_cast<int>(DropReason::quota) == SATCHEL_DROP_QUOTA);
static_assert(static_cast<int>(DropReason::coalesced) == SATCHEL_DROP_COALESCED);
static_assert(static_cast<int>(DropReason::discarded) == SATCHEL_DROP_DISCARDED);

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
  message_.not_before_ms = message.not_before ? message.not_before->count() : 0;
  message_.priority = c_priority(message.priority);
  message_.coalesce = message.coalesce.value_or(false) ? 1 : 0;
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
