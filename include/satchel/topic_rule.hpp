// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>
#include <satchel/retry_policy.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace satchel {

/// Defaults for the messages of some topics. What a message says itself goes first. Of several rules only the
/// first that matches counts: what it leaves unset no later one fills in. All but `retry` is filled in at
/// enqueue, and so not for plain SQL.
struct TopicRule {
  /// An MQTT topic filter (MQTT 5.0 section 4.7): `+` stands for one level, `#` at the end for all the rest,
  /// none included (`a/#` matches `a`). One that begins with a wildcard, `#` too, matches no topic that
  /// begins with `$`. Not empty.
  std::string filter{};
  /// For messages without `Message::priority`. Nothing: normal. Set it for alarms, and for logs that can
  /// wait.
  std::optional<Priority> priority{};
  /// For messages without `Message::not_before`. Nothing: none is delayed. Set it for what should wait for a
  /// later value of its key to take its place.
  std::optional<std::chrono::milliseconds> not_before{};
  /// For messages without `Message::expires_after`. Nothing: none expires. Set it for readings that are
  /// worthless later.
  std::optional<std::chrono::milliseconds> expires_after{};
  /// Whether a message takes the place of those of its key and topic that wait, see `Message::coalesce`.
  /// Concerns those messages of the topics that have a key. Nothing: it does not. Set it where only the last
  /// value counts.
  std::optional<bool> coalesce{};
  /// Limits of attempts and age, and the backoff. Holds for messages that were enqueued before, and for plain
  /// SQL, as well. What it leaves out is that of `Options`. Set it for topics that are worth more or fewer
  /// attempts.
  RetryPolicy retry{};
};

/// True when the topic name matches the filter, by the rules of MQTT 5.0 section 4.7. Both are valid.
bool topic_matches(std::string_view filter, std::string_view topic) noexcept;

}  // namespace satchel

#pragma GCC visibility pop
