// SPDX-License-Identifier: MIT
#include "base/validate.hpp"

#include "base/ranges.hpp"
#include "base/retry.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace satchel {

namespace {

using std::chrono::days;
using std::chrono::milliseconds;

constexpr std::size_t kMaxTopicBytes = 65'535;
constexpr std::size_t kMaxKeyBytes = 1024;
constexpr std::size_t kMaxContentTypeBytes = 256;
constexpr std::size_t kMaxHeaderNameBytes = 128;

// ---- messages ----

[[noreturn]] void refuse(std::string problem, std::string hint) {
  throw InvalidMessage{"enqueue", std::move(problem), std::move(hint)};
}

// RFC 9110 section 5.6.2.
bool is_token_character(unsigned char character) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const bool digit = character >= '0' && character <= '9';
  const bool letter = (character | 0x20U) >= 'a' && (character | 0x20U) <= 'z';
  return digit || letter || kMarks.find(static_cast<char>(character)) != std::string_view::npos;
}

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

bool equals_ignoring_case(std::string_view left, std::string_view right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) == lower(b);
  });
}

bool is_credential(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"authorization", "proxy-authorization", "cookie",
                                                   "set-cookie"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [name](std::string_view known) { return equals_ignoring_case(name, known); });
}

void check_header(const Header& header) {
  const std::string& name = header.name;
  if (name.empty()) refuse("a header without a name", "give it one or leave it out");
  if (name.size() > kMaxHeaderNameBytes) {
    refuse(fmt::format("a header name of {} bytes", name.size()),
           fmt::format("at most {}", kMaxHeaderNameBytes));
  }
  if (!std::all_of(name.begin(), name.end(),
                   [](char c) { return is_token_character(static_cast<unsigned char>(c)); })) {
    refuse("a header name with a character that is not allowed", "letters, digits and !#$%&'*+-.^_`|~ only");
  }
  if (equals_ignoring_case(std::string_view{name}.substr(0, 8), "satchel-")) {
    refuse(fmt::format("the header '{}'", name), "names that begin with satchel- are the library's own");
  }
  if (has_control(header.value)) {
    refuse(fmt::format("the header '{}' has a line break or another control character in its value", name),
           "encode it");
  }
  if (!is_utf8(header.value)) refuse(fmt::format("the header '{}' is not UTF-8", name), "encode it");
}

std::vector<Header> validated_headers(const Message& message, const Options& options) {
  std::vector<Header> kept;
  std::size_t bytes = 0;
  for (const Header& header : message.headers) {
    check_header(header);
    if (is_credential(header.name)) continue;
    bytes += header.name.size() + header.value.size();
    kept.push_back(header);
  }
  if (bytes > options.max_header_bytes) {
    refuse(fmt::format("headers of {} bytes", bytes),
           fmt::format("at most {} (max_header_bytes)", options.max_header_bytes));
  }
  return kept;
}

void check_text(const char* what, std::string_view text, std::size_t limit) {
  if (text.size() > limit)
    refuse(fmt::format("a {} of {} bytes", what, text.size()), fmt::format("at most {}", limit));
  if (has_control(text)) refuse(fmt::format("a {} with a control character", what), "leave it out");
  if (!is_utf8(text)) refuse(fmt::format("a {} that is not UTF-8", what), "encode it");
}

void insist(std::optional<Fault> fault) {
  if (fault) refuse(std::move(fault->problem), std::move(fault->range));
}

// After what the rules fill in: they may contradict what the message says itself.
void check_policies(const Message& message) {
  if (message.expires_after &&
      (*message.expires_after <= milliseconds{0} || *message.expires_after > days{36'525})) {
    refuse(fmt::format("expires_after is {} ms", message.expires_after->count()), "from 1 ms to 100 years");
  }
  if (message.not_before && (*message.not_before < milliseconds{0} || *message.not_before > days{3653})) {
    refuse(fmt::format("not_before is {} ms", message.not_before->count()), "from 0 ms to 10 years");
  }
  if (message.not_before && message.expires_after && *message.not_before >= *message.expires_after) {
    refuse(fmt::format("not_before is {} ms and expires_after {} ms", message.not_before->count(),
                       message.expires_after->count()),
           "not_before has to be the shorter: the message would expire before it may be sent");
  }
  if (message.priority && static_cast<unsigned>(*message.priority) > static_cast<unsigned>(Priority::bulk)) {
    refuse(fmt::format("priority is {}", static_cast<unsigned>(*message.priority)), "normal, urgent or bulk");
  }
  if (message.coalesce.value_or(false) && message.key.empty())
    refuse("coalesce without a key", "give the message a key: it takes the place of those of its key");
  if (message.retry) insist(fault_of("retry.", *message.retry));
}

// ---- UTF-8 ----

// Length of the well-formed sequence at the front; 0: there is none.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t index = 1; index < length; ++index) {
    if ((byte(index) & 0xc0U) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) > 0x9f;
  const bool beyond = first == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string topic_fault(std::string_view topic) {
  if (topic.empty()) return "an empty topic";
  if (topic.size() > kMaxTopicBytes) return fmt::format("a topic of {} bytes", topic.size());
  if (topic.find('\0') != std::string_view::npos) return "a topic with a NUL character";
  if (topic.find_first_of("+#") != std::string_view::npos)
    return fmt::format("the topic '{}' has a wildcard", topic);
  if (has_control(topic)) return "a topic with a control character";
  if (!is_utf8(topic)) return "a topic that is not UTF-8";
  return {};
}

std::string filter_fault(std::string_view filter) {
  if (filter.empty()) return "empty";
  if (filter.size() > kMaxTopicBytes) return fmt::format("{} bytes long", filter.size());
  if (filter.find('\0') != std::string_view::npos || has_control(filter))
    return "a text with a NUL or another control character";
  if (!is_utf8(filter)) return "no UTF-8";
  std::string_view rest = filter;
  while (true) {
    const std::string_view level = rest.substr(0, rest.find('/'));
    const bool last = level.size() == rest.size();
    const bool wild = level.find_first_of("+#") != std::string_view::npos;
    if (wild && level.size() > 1) return fmt::format("'{}', where a wildcard is a part of a level", filter);
    if (level == "#" && !last) return fmt::format("'{}', where # is not at the end", filter);
    if (last) return {};
    rest.remove_prefix(level.size() + 1);
  }
}

Message validated(const Message& message, const Options& options) {
  if (std::string fault = topic_fault(message.topic); !fault.empty()) refuse(std::move(fault), kTopicRange);
  if (message.payload.size() > options.max_payload_bytes) {
    refuse(fmt::format("a payload of {} bytes for '{}'", message.payload.size(), message.topic),
           fmt::format("at most {} (max_payload_bytes)", options.max_payload_bytes));
  }
  check_text("key", message.key, kMaxKeyBytes);
  check_text("content type", message.content_type, kMaxContentTypeBytes);
  std::vector<Header> headers = validated_headers(message, options);
  Message kept = with_rules(message, options);
  kept.headers = std::move(headers);
  check_policies(kept);
  return kept;
}

}  // namespace satchel
