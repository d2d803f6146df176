// SPDX-License-Identifier: MIT
#include "store/ages.hpp"

#include <algorithm>
#include <limits>

namespace satchel::store {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

/// More than any device is switched off with messages that still matter.
constexpr std::int64_t kLongest =
    std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::hours{24 * 3653}).count();

}  // namespace

std::int64_t add(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return a > 0 ? kMax : kMin;
  return sum;
}

std::int64_t subtract(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) return a > b ? kMax : kMin;
  return difference;
}

std::optional<std::int64_t> age_of(const Moment& moment, const Present& present) noexcept {
  if (!moment.boot || !moment.at) return std::nullopt;
  if (*moment.boot == present.boot) return std::max<std::int64_t>(0, subtract(present.now, *moment.at));
  // Where only the name of the boot is new, as in a container that was started again, the clock has gone on.
  // Opened earlier than that on the clock, it was set back in between.
  const bool may_go_on = *moment.at <= present.opened;
  const std::int64_t at_least =
      std::max<std::int64_t>(0, may_go_on ? subtract(present.now, *moment.at) : present.now);
  if (!present.trusted || !present.wall_offset || !moment.wall_offset) return at_least;
  // The offset of this boot, not the wall clock of this instant: a later step of the clock ages nothing.
  const std::int64_t wall_now = add(present.now, *present.wall_offset);
  const std::int64_t wall_then = add(*moment.at, *moment.wall_offset);
  const std::int64_t between = subtract(wall_now, wall_then);
  return between > kLongest ? at_least : std::max(at_least, between);
}

std::optional<WallTime> wall_time_of(const Moment& moment) noexcept {
  if (!moment.at || !moment.wall_offset) return std::nullopt;
  return WallTime{std::chrono::milliseconds{add(*moment.at, *moment.wall_offset)}};
}

std::chrono::milliseconds remaining_of(std::int64_t time_to_live, std::int64_t age) noexcept {
  return std::chrono::milliseconds{subtract(time_to_live, age)};
}

std::int64_t to_ms(BootTime time) noexcept {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

BootTime from_ms(std::int64_t ms) noexcept {
  constexpr std::int64_t limit = kMax / 1000;
  return BootTime{std::chrono::milliseconds{std::clamp(ms, -limit, limit)}};
}

}  // namespace satchel::store
