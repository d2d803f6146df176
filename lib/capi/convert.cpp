// SPDX-License-Identifier: MIT
#include "capi/convert.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace satchel::capi {

namespace {

using std::chrono::milliseconds;

std::int64_t ms_of(const std::optional<WallTime>& time) noexcept {
  return time ? std::int64_t{time->time_since_epoch().count()} : -1;
}

int c_priority(const std::optional<Priority>& priority) noexcept {
  if (!priority) return SATCHEL_PRIORITY_UNSET;
  if (*priority == Priority::urgent) return SATCHEL_PRIORITY_URGENT;
  return *priority == Priority::bulk ? SATCHEL_PRIORITY_BULK : SATCHEL_PRIORITY_NORMAL;
}

void put_retry(const RetryPolicy& retry, satchel_message& c) noexcept {
  c.max_attempts = retry.max_attempts.value_or(0);
  if (retry.max_age) c.max_age_ms = retry.max_age->count() == 0 ? SATCHEL_NO_LIMIT : retry.max_age->count();
  if (!retry.backoff) return;
  c.retry_backoff_ms = retry.backoff->base.count();
  c.retry_backoff_cap_ms = retry.backoff->cap.count();
}

}  // namespace

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

int attempts_of(std::int64_t attempts, const char* operation) {
  if (attempts < 0 || attempts > std::numeric_limits<int>::max()) {
    throw InvalidOption{operation, "max_attempts is " + std::to_string(attempts), "from 1 to 1000000"};
  }
  return static_cast<int>(attempts);
}

template <class Struct>
std::optional<RetryPolicy> retry_of(const Struct& c, const char* operation) {
  RetryPolicy retry;
  if (c.max_attempts != 0) retry.max_attempts = attempts_of(c.max_attempts, operation);
  if (c.max_age_ms != 0) retry.max_age = milliseconds{c.max_age_ms == SATCHEL_NO_LIMIT ? 0 : c.max_age_ms};
  if (c.retry_backoff_ms != 0) {
    Backoff& backoff = retry.backoff.emplace();
    backoff.base = milliseconds{c.retry_backoff_ms};
    backoff.cap = std::max(backoff.base, backoff.cap);
    if (c.retry_backoff_cap_ms != 0) backoff.cap = milliseconds{c.retry_backoff_cap_ms};
  }
  if (retry == RetryPolicy{}) return std::nullopt;
  return retry;
}
template std::optional<RetryPolicy> retry_of(const satchel_message& c, const char* operation);
template std::optional<RetryPolicy> retry_of(const satchel_topic_rule& c, const char* operation);

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
  message.retry = retry_of(c, operation);
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
  if (message.retry) put_retry(*message.retry, message_);
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
