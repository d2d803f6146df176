// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/route.hpp>
#include <satchel/status.hpp>

#include "relay/budget.hpp"
#include "relay/quiet.hpp"
#include "relay/throttle.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::relay {

/// What a route may send at a time: its rate, its data budget and its quiet hours together. A copy is a plan:
/// what is taken from it is not taken from the original. Pure: it is told the time.
class Limits {
 public:
  explicit Limits(const RouteOptions& route)
      : any_{route.messages_per_second > 0 || route.bytes_per_second > 0 || route.budget.bytes > 0 ||
             !route.quiet.empty()},
        throttle_{route},
        budget_{route.budget},
        quiet_{route.quiet} {}

  /// Without any limit nobody has to ask.
  bool any() const noexcept { return any_; }
  bool counts_bytes() const noexcept { return budget_.limits(); }

  /// One more message may go now.
  bool admits(std::size_t bytes, bool urgent, BootTime now, const WallReading& wall) noexcept {
    return held_by(bytes, urgent, now, wall) == HeldBy::nothing;
  }
  /// What is in its way.
  HeldBy held_by(std::size_t bytes, bool urgent, BootTime now, const WallReading& wall) noexcept {
    if (!urgent && quiet_.quiet(wall)) return HeldBy::quiet;
    if (!budget_.admits(bytes, urgent, now, wall)) return HeldBy::budget;
    return throttle_.admits(bytes, now) ? HeldBy::nothing : HeldBy::rate;
  }
  /// It goes.
  void take(std::size_t bytes, BootTime now, const WallReading& wall) noexcept {
    throttle_.take(bytes, now);
    budget_.take(bytes, now, wall);
  }
  /// When to ask again; nothing: it may go now.
  std::optional<BootTime> next(std::size_t bytes, bool urgent, BootTime now,
                               const WallReading& wall) noexcept;

  std::uint64_t budget_used(BootTime now, const WallReading& wall) noexcept {
    return budget_.used(now, wall);
  }
  std::string note(const std::string& boot_id) const { return budget_.note(boot_id); }
  bool restore(std::string_view note, const std::string& boot_id, BootTime now) noexcept {
    return budget_.restore(note, boot_id, now);
  }

 private:
  bool any_;
  Throttle throttle_;
  Budget budget_;
  Quiet quiet_;
};

}  // namespace satchel::relay
