// SPDX-License-Identifier: MIT
#include "json.hpp"

#include "json_object.hpp"
#include "text.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace satchel::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 section 4, with padding.
std::string base64(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8U | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text += at + i > bytes.size() ? '=' : kAlphabet[(group >> (18 - 6 * i)) & 63U];
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    group = (group << 6U | static_cast<std::uint32_t>(value)) & 0xFFFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xFFU);
  }
  return bytes;
}

constexpr std::array<std::string_view, 3> kPriorities{"normal", "urgent", "bulk"};

void put_retry(Object& object, const RetryPolicy& retry) {
  object.object("retry", [&] {
    if (retry.max_attempts) object.number("max_attempts", *retry.max_attempts);
    object.span("max_age_ms", retry.max_age);
    if (!retry.backoff) return;
    object.span("backoff_ms", retry.backoff->base);
    object.real("backoff_factor", retry.backoff->factor);
    object.span("backoff_cap_ms", retry.backoff->cap);
  });
}

void put_message(Object& object, const MessageId& id, const Message& message) {
  object.text("id", id.to_string());
  object.number("row", id.row);
  object.text("topic", message.topic);
  if (is_utf8(message.payload)) {
    object.text("payload", message.payload);
  } else {
    object.text("payload_base64", base64(message.payload));
  }
  object.some_text("key", message.key);
  object.some_text("content_type", message.content_type);
  if (!message.headers.empty()) {
    object.object("headers", [&] {
      for (const Header& header : message.headers) object.text(header.name, header.value);
    });
  }
  if (message.priority && *message.priority != Priority::normal)
    object.text("priority", kPriorities.at(static_cast<std::size_t>(*message.priority)));
  object.span("expires_after_ms", message.expires_after);
  object.span("not_before_ms", message.not_before);
  if (message.retry) put_retry(object, *message.retry);
}

[[noreturn]] void refuse(std::size_t line, const std::string& problem) {
  throw InvalidMessage{fmt::format("read line {}", line), problem,
                       "each line is a JSON object with at least \"topic\", as `satchel export` writes it"};
}

std::string text_at(const json::Value& object, const char* name, std::size_t line) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd()) return {};
  if (!found->value.IsString()) refuse(line, fmt::format("\"{}\" is not a text", name));
  return {found->value.GetString(), found->value.GetStringLength()};
}

Priority priority_at(const std::string& name, std::size_t line) {
  const auto found = std::find(kPriorities.begin(), kPriorities.end(), name);
  if (found == kPriorities.end()) refuse(line, fmt::format("the priority '{}'", visible(name)));
  return static_cast<Priority>(found - kPriorities.begin());
}

void read_payload(Message& message, const json::Value& object, std::size_t line) {
  message.payload = text_at(object, "payload", line);
  if (!object.HasMember("payload_base64")) return;
  std::optional<std::string> bytes = from_base64(text_at(object, "payload_base64", line));
  if (!bytes) refuse(line, "\"payload_base64\" is not base64");
  message.payload = *std::move(bytes);
}

void read_headers(Message& message, const json::Value& object, std::size_t line) {
  const auto headers = object.FindMember("headers");
  if (headers == object.MemberEnd()) return;
  if (!headers->value.IsObject()) refuse(line, "\"headers\" is not an object");
  for (const auto& header : headers->value.GetObject()) {
    const std::string name{header.name.GetString(), header.name.GetStringLength()};
    if (!header.value.IsString()) refuse(line, fmt::format("the header '{}' is not a text", visible(name)));
    message.headers.push_back({name, {header.value.GetString(), header.value.GetStringLength()}});
  }
}

std::optional<milliseconds> span_at(const json::Value& object, const char* name, std::size_t line) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd()) return std::nullopt;
  if (!found->value.IsInt64()) refuse(line, fmt::format("\"{}\" is not a whole number", name));
  return milliseconds{found->value.GetInt64()};
}

std::optional<Backoff> backoff_at(const json::Value& retry, std::size_t line) {
  const std::optional<milliseconds> base = span_at(retry, "backoff_ms", line);
  if (!base) return std::nullopt;
  Backoff backoff;
  backoff.base = *base;
  backoff.cap = span_at(retry, "backoff_cap_ms", line).value_or(std::max(backoff.base, backoff.cap));
  if (const auto factor = retry.FindMember("backoff_factor"); factor != retry.MemberEnd()) {
    if (!factor->value.IsNumber()) refuse(line, "\"backoff_factor\" is not a number");
    backoff.factor = factor->value.GetDouble();
  }
  return backoff;
}

void read_retry(Message& message, const json::Value& object, std::size_t line) {
  const auto found = object.FindMember("retry");
  if (found == object.MemberEnd()) return;
  if (!found->value.IsObject()) refuse(line, "\"retry\" is not an object");
  RetryPolicy retry;
  if (const auto most = found->value.FindMember("max_attempts"); most != found->value.MemberEnd()) {
    if (!most->value.IsInt()) refuse(line, "\"max_attempts\" is not a whole number");
    retry.max_attempts = most->value.GetInt();
  }
  retry.max_age = span_at(found->value, "max_age_ms", line);
  retry.backoff = backoff_at(found->value, line);
  message.retry = retry;
}

}  // namespace

std::string to_json(const PendingMessage& found) {
  Object object;
  put_message(object, found.id, found.message);
  object.time("created_ms", found.created);
  object.span("age_ms", found.age);
  object.truth("delayed", found.delayed);
  object.truth("in_flight", found.in_flight);
  object.number("attempts", found.attempts);
  object.some_text("first_error", found.first_error);
  object.some_text("last_error", found.last_error);
  object.span("next_attempt_ms", found.next_attempt);
  object.some_text("damage", found.damage);
  return object.done();
}

std::string to_json(const DeadLetter& dead) {
  Object object;
  put_message(object, dead.id, dead.message);
  object.text("reason", to_string(dead.reason));
  object.number("attempts", dead.attempts);
  object.some_text("first_error", dead.first_error);
  object.some_text("last_error", dead.last_error);
  object.time("created_ms", dead.created);
  object.time("died_ms", dead.died);
  return object.done();
}

Message message_of(const std::string& text, std::size_t line) {
  json::Document object;
  // Iterative: rapidjson's recursive parser takes its depth from the input.
  object.Parse<json::kParseIterativeFlag | json::kParseValidateEncodingFlag>(text.data(), text.size());
  if (object.HasParseError()) refuse(line, fmt::format("not JSON, at byte {}", object.GetErrorOffset()));
  if (!object.IsObject()) refuse(line, "not a JSON object");
  Message message;
  message.topic = text_at(object, "topic", line);
  if (message.topic.empty()) refuse(line, "no \"topic\"");
  message.key = text_at(object, "key", line);
  message.content_type = text_at(object, "content_type", line);
  read_payload(message, object, line);
  read_headers(message, object, line);
  if (object.HasMember("priority")) message.priority = priority_at(text_at(object, "priority", line), line);
  message.expires_after = span_at(object, "expires_after_ms", line);
  message.not_before = span_at(object, "not_before_ms", line);
  read_retry(message, object, line);
  return message;
}

}  // namespace satchel::cli
