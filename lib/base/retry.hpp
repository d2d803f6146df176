// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>
#include <satchel/options.hpp>

#include <chrono>
#include <optional>
#include <string_view>

namespace satchel {

/// How long one message is tried.
struct RetryLimits {
  int max_attempts = 0;
  Backoff backoff{};
  std::chrono::milliseconds max_age{0};  ///< 0: no limit
  bool operator==(const RetryLimits&) const = default;
};

/// The first of `Options::topics` whose filter matches; nullptr: none.
const TopicRule* rule_for(std::string_view topic, const Options& options) noexcept;

/// Each limit from the message's own policy, otherwise from the rule of its topic, otherwise from the
/// options. `options` are valid.
RetryLimits limits_of(std::string_view topic, const std::optional<RetryPolicy>& own, const Options& options);

/// The message with what the rule of its topic says where it says nothing itself; `coalesce` only when it has
/// a key. The rule's retry policy is left out: it is looked up at each failure, so that a changed rule holds
/// for messages that wait already. Twice is as good as once.
Message with_rules(Message message, const Options& options);

}  // namespace satchel
