// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>
#include <satchel/options.hpp>
#include <satchel/route.hpp>

#include <string>
#include <string_view>

namespace satchel {

/// Throws `InvalidOption` for the first value out of its range: option, value, range.
void validate(const Options& options);

/// The sizes that `Options::memory_budget` stands for. The options have to be valid.
Options sized_by_budget(Options options);

/// The same for a route by itself; whether its name is unique is for who knows the others.
void validate(const RouteOptions& route);

/// The message as it is stored: what the rule of its topic says filled in (`with_rules`), checked against
/// `options`, credentials among its headers dropped. Throws `InvalidMessage`. Twice is as good as once.
Message validated(const Message& message, const Options& options);

/// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// What is wrong with `topic` as an MQTT topic name; empty: nothing.
std::string topic_fault(std::string_view topic);
inline constexpr const char* kTopicRange =
    "1 to 65,535 bytes of UTF-8 without NUL, control characters, + and #";

/// What `filter` is instead of an MQTT topic filter (MQTT 5.0 section 4.7); empty: it is one.
std::string filter_fault(std::string_view filter);
inline constexpr const char* kFilterRange =
    "an MQTT topic filter: 1 to 65,535 bytes of UTF-8, + for one level, # at the end for all the rest";

}  // namespace satchel
