// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>
#include <satchel/options.hpp>

#include <string_view>

namespace satchel {

/// Throws `InvalidOption` for the first value out of its range: option, value, range.
void validate(const Options& options);

/// The message as it is stored: checked against `options`, credentials among its headers dropped. Throws
/// `InvalidMessage`.
Message validated(const Message& message, const Options& options);

/// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// What is wrong with `topic` as an MQTT topic name; empty: nothing.
std::string topic_fault(std::string_view topic);

}  // namespace satchel
