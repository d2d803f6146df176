// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#pragma GCC visibility push(default)

namespace satchel {

/// Pause before the next attempt or probe: drawn evenly from zero to min(cap, base * factor^(n - 1)) after
/// the n-th failure ("full jitter"); where the peer names a time, that time and a draw from zero to `base`.
/// The draw is seeded per device, so that a fleet does not come back in step.
struct Backoff {
  std::chrono::milliseconds base{1000};    ///< 1 ms to 1 day
  double factor = 2.0;                     ///< 1 to 100
  std::chrono::milliseconds cap{300'000};  ///< base to 30 days
  bool operator==(const Backoff&) const = default;
};

/// How long a message is tried, where that differs from `Options`. What is unset is taken from the message's
/// `TopicRule`, and what is unset there from `Options`.
struct RetryPolicy {
  std::optional<int> max_attempts{};                   ///< 1 to 1,000,000
  std::optional<Backoff> backoff{};                    ///< instead of `Options::retry_backoff`
  std::optional<std::chrono::milliseconds> max_age{};  ///< 0: no limit; at most 10 years
  bool operator==(const RetryPolicy&) const = default;
};

}  // namespace satchel

#pragma GCC visibility pop
