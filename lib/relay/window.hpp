// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>

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
  /// what a hand-over costs is shared by many messages.
  std::size_t room(std::size_t in_flight, std::size_t sink_capacity) const noexcept {
    const std::size_t open = limit(sink_capacity);
    const std::size_t free = open > in_flight ? open - in_flight : 0;
    return open >= kBatchingFrom && free < open / 4 ? 0 : free;
  }

  void outage() noexcept { opening_ = 1; }

  void delivered() noexcept { opening_ = std::min(opening_ + 1, most_); }

 private:
  static constexpr std::size_t kBatchingFrom = 16;

  std::size_t most_;
  std::size_t opening_;
};

}  // namespace satchel::relay
