// SPDX-License-Identifier: MIT
#include "text.hpp"

#include <satchel/error.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace satchel::cli {

using std::chrono::milliseconds;

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", grouped(number), number == 1 ? one : many);
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 || value >= 100 ? fmt::format("{:.0f} {}", value, kUnits[unit])
                                   : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string duration_text(milliseconds time) {
  const std::int64_t ms = std::max<std::int64_t>(time.count(), 0);
  const std::int64_t seconds = ms / 1000;
  const auto pair = [](std::int64_t a, const char* unit, std::int64_t b, const char* rest) {
    return b == 0 ? fmt::format("{} {}", a, unit) : fmt::format("{} {} {} {}", a, unit, b, rest);
  };
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 3600) return pair(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86'400) return pair(seconds / 3600, "h", seconds % 3600 / 60, "min");
  return pair(seconds / 86'400, "d", seconds % 86'400 / 3600, "h");
}

std::string time_text(const std::optional<WallTime>& time) {
  if (!time) return "unknown";
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count();
  // Outside of four-digit years it can only be damage.
  constexpr std::int64_t kLast = 253'402'300'799;
  if (seconds < 0 || seconds > kLast) return "unknown";
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string identity_text(const Identity& identity) {
  std::string text;
  for (const std::uint8_t byte : identity) text += fmt::format("{:02x}", byte);
  return text;
}

namespace {

/// Length of the well-formed UTF-8 character at the beginning; 0: there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned lead = byte(0);
  std::size_t size = 1;
  if (lead >= 0xC2 && lead <= 0xDF) size = 2;
  if (lead >= 0xE0 && lead <= 0xEF) size = 3;
  if (lead >= 0xF0 && lead <= 0xF4) size = 4;
  if (size == 1) return lead < 0x80 ? 1 : 0;
  if (text.size() < size) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xC0U) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond the last code point.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return size;
}

/// C0 and C1 controls and DEL: they steer terminals. The marks that turn the direction of a text hide it.
bool is_control(std::string_view one) {
  const auto first = static_cast<unsigned char>(one[0]);
  if (one.size() == 1) return first < 0x20 || first == 0x7F;
  const auto second = static_cast<unsigned char>(one[1]);
  if (one.size() == 2) return first == 0xC2 && second < 0xA0;
  const auto third = static_cast<unsigned char>(one[2]);
  return first == 0xE2 && ((second == 0x80 && third >= 0xA8 && third <= 0xAE) ||
                           (second == 0x81 && third >= 0xA6 && third <= 0xA9));
}

}  // namespace

std::string visible(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t size = character(text);
    const std::string_view one = text.substr(0, std::max<std::size_t>(size, 1));
    if (one == "\n") {
      line += "\\n";
    } else if (one == "\r") {
      line += "\\r";
    } else if (one == "\t") {
      line += "\\t";
    } else if (size == 0 || is_control(one)) {
      for (const char byte : one) line += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
      line += one;
    }
    text.remove_prefix(one.size());
  }
  return line;
}

bool printable(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character(text);
    if (size == 0) return false;
    const std::string_view one = text.substr(0, size);
    if (is_control(one) && one != "\n" && one != "\t") return false;
    text.remove_prefix(size);
  }
  return true;
}

std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

std::string shortened(std::string_view text, std::size_t characters) {
  if (length(text) <= characters) return std::string{text};
  constexpr std::string_view kMore = "...";
  if (characters <= kMore.size()) return std::string{kMore.substr(0, characters)};
  std::size_t left = characters - kMore.size();
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80;
    if (begins && left-- == 0) break;
  }
  return std::string{text.substr(0, at)} + std::string{kMore};
}

milliseconds parse_duration(const std::string& option, const std::string& text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits{
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data(), end, number);
  constexpr std::int64_t kMost = 3653LL * 86'400'000;
  for (const auto& [unit, factor] : kUnits) {
    if (failure != std::errc{} || std::string_view(at, static_cast<std::size_t>(end - at)) != unit) continue;
    if (number >= 0 && number <= kMost / factor) return milliseconds{number * factor};
  }
  throw InvalidOption{"read " + option, fmt::format("the time '{}'", visible(text)),
                      "a number and ms, s, m, h or d, up to ten years: 500ms, 10s, 5m, 2h, 1d"};
}

IdText parse_id(const std::string& text) {
  if (const std::optional<MessageId> id = MessageId::parse(text)) return {id, id->row};
  std::int64_t row = 0;
  const auto [at, failure] = std::from_chars(text.data(), text.data() + text.size(), row);
  if (failure == std::errc{} && at == text.data() + text.size() && row > 0) return {std::nullopt, row};
  throw InvalidOption{
      "read the message id", fmt::format("'{}' is none", visible(text)),
      "an id as the program prints it, 32 hex digits, a dash and a number, or the number alone"};
}

void check_filter(const std::string& filter) {
  std::string_view rest = filter;
  bool fine = !rest.empty();
  while (fine && !rest.empty()) {
    const std::string_view level = rest.substr(0, rest.find('/'));
    const bool last = level.size() == rest.size();
    if (level.find_first_of("+#") != std::string_view::npos && level != "+" && !(level == "#" && last))
      fine = false;
    rest.remove_prefix(last ? rest.size() : level.size() + 1);
  }
  if (fine) return;
  throw InvalidOption{
      "read --topic", fmt::format("'{}' is no topic filter", visible(filter)),
      "+ stands for a whole level, # at the end for all the rest: plant/+/temperature, plant/#"};
}

}  // namespace satchel::cli
