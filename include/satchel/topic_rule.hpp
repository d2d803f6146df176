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

/// Defaults for the messages of some topics. What a message says itself goes first.
struct TopicRule {
  /// An MQTT topic filter (MQTT 5.0 section 4.7): `+` stands for one level, `#` at the end for all the rest.
  std::string filter{};
  std::optional<Priority> priority{};
  std::optional<std::chrono::milliseconds> not_before{};
  std::optional<std::chrono::milliseconds> expires_after{};
  /// Concerns those messages of the topics that have a key.
  std::optional<bool> coalesce{};
  /// Holds for messages that were enqueued before as well.
  RetryPolicy retry{};
};

/// True when the topic name matches the filter, by the rules of MQTT 5.0 section 4.7. Both are valid.
bool topic_matches(std::string_view filter, std::string_view topic) noexcept;

}  // namespace satchel

#pragma GCC visibility pop
