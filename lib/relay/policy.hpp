// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/options.hpp>
#include <satchel/sink.hpp>
#include <satchel/storage.hpp>

#include "base/retry.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace satchel::relay {

using std::chrono::milliseconds;

/// Seeded source of evenly spread draws; the same seed gives the same draws on every platform.
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) noexcept : state_{seed} {}

  /// Evenly from zero to `most`, both included; zero when `most` is not positive.
  milliseconds draw(milliseconds most) noexcept;

 private:
  std::uint64_t state_;
};

/// Longest pause after `failures` failures in a row (1 or more): min(cap, base * factor^(failures - 1)).
milliseconds ceiling(const Backoff& backoff, int failures) noexcept;

/// The pause to make: drawn from zero to `ceiling`. A peer that named a time (`wish` positive) gets at least
/// that, up to a limit of one hour or the backoff's cap, whichever is longer, so that a wrong header cannot
/// silence a device for good.
milliseconds pause_after(const Backoff& backoff, int failures, milliseconds wish, Jitter& jitter) noexcept;

/// The peer's wish within its limit.
milliseconds capped_wish(const Backoff& backoff, milliseconds wish) noexcept;

/// What a receipt means for its message.
enum class Act : std::uint8_t {
  deliver,    ///< record it as delivered
  fail,       ///< count an attempt, send again after a backoff
  die,        ///< dead letter
  give_back,  ///< nothing counted: send it again when the route is up
  hold,       ///< nothing counted: its topic is not allowed now
};

struct Decision {
  Act act = Act::deliver;
  /// With fail and die: attempts including this one.
  int attempts = 0;
  /// With die.
  DeadReason reason = DeadReason::rejected;
};

/// `attempts` counted before this receipt; `aged`: time with the sink up since the first failure.
Decision decide(const Receipt& receipt, int attempts, milliseconds aged, const RetryLimits& limits) noexcept;

/// One more counted attempt: fail or die by the limits alone.
Decision count_attempt(int attempts, milliseconds aged, const RetryLimits& limits) noexcept;

/// Bytes that a message weighs in the window.
std::size_t weight(const StoredMessage& message) noexcept;

/// Messages that may wait in backoff before the relay stops taking up new ones.
std::size_t retrying_limit(const Options& options) noexcept;

/// Keys that may be remembered before the relay stops taking up new ones.
std::size_t key_limit(const Options& options) noexcept;

}  // namespace satchel::relay
