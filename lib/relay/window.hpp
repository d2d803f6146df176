// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace satchel::relay {

/// How many deliveries may be with the sink. After an outage it opens slowly: it starts at one and grows by
/// one with every delivery, which doubles it with every full round.
class Window {
 public:
  explicit Window(std::size_t most) noexcept : most_{most}, opening_{most} {}

  std::size_t limit(std::size_t sink_capacity) const noexcept {
    const std::size_t open = std::min(most_, std::max<std::size_t>(sink_capacity, 1));
    return std::min(open, opening_);
  }

  /// Deliveries that may be added. A window that is nearly full waits until a quarter of it is free, so that
  /// what a hand-over costs is shared by many messages; but not for longer than is little against a round
  /// trip: over a long line the free part of the window is what nobody uses.
  std::size_t room(std::size_t in_flight, std::size_t sink_capacity, BootTime now) noexcept {
    const std::size_t open = limit(sink_capacity);
    const std::size_t free = open > in_flight ? open - in_flight : 0;
    if (free == 0 || open < kBatchingFrom || free >= open / 4) {
      wait_until_.reset();
      return free;
    }
    if (!wait_until_) wait_until_ = now + std::max(kLeastWait, round_trip_ / kPartOfRoundTrip);
    return now < *wait_until_ ? 0 : free;
  }
  /// When a part of less than a quarter may be used.
  std::optional<BootTime> next() const noexcept { return wait_until_; }
  void handed_over() noexcept { wait_until_.reset(); }

  void outage() noexcept { opening_ = 1; }

  void delivered(BootTime::duration round_trip) noexcept {
    opening_ = std::min(opening_ + 1, most_);
    round_trip_ += (round_trip - round_trip_) / kSmoothing;
  }

 private:
  static constexpr std::size_t kBatchingFrom = 16;
  static constexpr BootTime::duration kLeastWait = std::chrono::milliseconds{1};
  static constexpr int kPartOfRoundTrip = 64;
  static constexpr int kSmoothing = 8;

  std::size_t most_;
  std::size_t opening_;
  BootTime::duration round_trip_{0};
  std::optional<BootTime> wait_until_{};
};

}  // namespace satchel::relay
