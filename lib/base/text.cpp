// SPDX-License-Identifier: MIT
#include "base/text.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace satchel {

namespace {

// The years 0000 to 9999: RFC 3339 has no others, and a file can hold any number.
constexpr WallTime kEarliest{std::chrono::seconds{-62'167'219'200}};
constexpr WallTime kLatest{std::chrono::milliseconds{253'402'300'799'999}};

/// Writes a number of so many digits over those at `at`.
void put(std::string& text, std::size_t at, std::size_t digits, std::int64_t number) noexcept {
  for (std::size_t place = at + digits; place-- > at; number /= 10)
    text[place] = static_cast<char>('0' + number % 10);
}

}  // namespace

std::string rfc3339(WallTime time) {
  time = std::clamp(time, kEarliest, kLatest);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const auto in_day = std::chrono::duration_cast<std::chrono::milliseconds>(time - day).count();
  // Digit by digit: every message that a sink sends carries a time, and a format string is ten times as dear.
  std::string text = "0000-00-00T00:00:00.000Z";
  put(text, 0, 4, static_cast<int>(date.year()));
  put(text, 5, 2, static_cast<unsigned>(date.month()));
  put(text, 8, 2, static_cast<unsigned>(date.day()));
  put(text, 11, 2, in_day / 3'600'000);
  put(text, 14, 2, in_day / 60'000 % 60);
  put(text, 17, 2, in_day / 1000 % 60);
  put(text, 20, 3, in_day % 1000);
  return text;
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? kDigits[group >> (18 - 6 * i) & 0x3FU] : '=';
    }
  }
  return text;
}

}  // namespace satchel
