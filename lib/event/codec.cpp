// SPDX-License-Identifier: MIT
#include <satchel/codec.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace satchel::detail {

namespace {

char lower(char character) noexcept {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character + 32) : character;
}

}  // namespace

bool is_media_type(std::string_view content_type, std::string_view name) noexcept {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  const std::size_t last = type.find_last_not_of(" \t");
  type = type.substr(0, last == std::string_view::npos ? 0 : last + 1);
  return std::equal(type.begin(), type.end(), name.begin(), name.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

void throw_too_large(std::size_t size, std::size_t limit) {
  throw InvalidMessage{"decode", fmt::format("a payload of {} bytes", size),
                       fmt::format("at most {} (max_bytes)", limit)};
}

void throw_unknown_content_type(std::string_view content_type, std::string_view own) {
  throw InvalidMessage{"decode",
                       fmt::format("no codec for the content type '{}'", content_type.substr(0, 128)),
                       fmt::format("{}, {} or {}", own, JsonCodec::content_type, BinaryCodec::content_type)};
}

void throw_undecodable(const std::exception& cause) {
  throw InvalidMessage{"decode", cause.what(), "the payload does not fit the event"};
}

}  // namespace satchel::detail
