// SPDX-License-Identifier: MIT
#include <satchel/message.hpp>

#include <charconv>
#include <string>

namespace satchel {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kHexLength = 32;

std::optional<std::uint8_t> nibble(char digit) {
  const auto position = kDigits.find(digit);
  if (position == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint8_t>(position);
}

}  // namespace

std::string MessageId::to_string() const {
  std::string text;
  text.reserve(kHexLength + 20);
  for (const std::uint8_t byte : identity) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  text += '-';
  text += std::to_string(row);
  return text;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() < kHexLength + 2 || text[kHexLength] != '-') return std::nullopt;
  MessageId id;
  for (std::size_t index = 0; index < id.identity.size(); ++index) {
    const auto high = nibble(text[2 * index]);
    const auto low = nibble(text[2 * index + 1]);
    if (!high || !low) return std::nullopt;
    id.identity[index] = static_cast<std::uint8_t>(*high << 4U | *low);
  }
  const char* begin = text.data() + kHexLength + 1;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(begin, end, id.row);
  if (failure != std::errc{} || rest != end || id.row < 1 || *begin == '0') return std::nullopt;
  return id;
}

}  // namespace satchel
