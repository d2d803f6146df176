// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::cli {

/// `12,345`.
std::string grouped(std::uint64_t number);
/// `1 message`, `2 messages`.
std::string counted(std::uint64_t number, std::string_view one, std::string_view many);
/// `1.5 MiB`.
std::string size_text(std::uint64_t bytes);
/// `350 ms`, `12 s`, `4 h 12 min`, `3 d 2 h`.
std::string duration_text(std::chrono::milliseconds time);
/// `2026-11-23 12:00:00 UTC`; `unknown` for nothing.
std::string time_text(const std::optional<WallTime>& time);
/// 32 hex digits.
std::string identity_text(const Identity& identity);

/// The text on one line: control characters and what is no UTF-8 as `\n`, `\xNN`, so that nothing that came
/// from outside steers a terminal.
std::string visible(std::string_view text);
/// True when the text can be shown as it is: UTF-8 without control characters but line feed and tab.
bool printable(std::string_view text);
/// At most so many characters; a cut one ends with `...`.
std::string shortened(std::string_view text, std::size_t characters);
/// Characters of UTF-8.
std::size_t length(std::string_view text);

/// `500ms`, `10s`, `5m`, `2h`, `1d`; throws `InvalidOption`, which names `option`.
std::chrono::milliseconds parse_duration(const std::string& option, const std::string& text);
/// A whole message id, or its row alone; nothing when it is neither.
struct IdText {
  std::optional<MessageId> id;
  std::int64_t row = 0;
};
/// Throws `InvalidOption`.
IdText parse_id(const std::string& text);
/// Throws `InvalidOption` for a topic filter that MQTT does not allow.
void check_filter(const std::string& filter);

}  // namespace satchel::cli
