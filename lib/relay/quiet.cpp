// SPDX-License-Identifier: MIT
#include "relay/quiet.hpp"

#include <algorithm>
#include <chrono>

namespace satchel::relay {

namespace {

using std::chrono::days;
using std::chrono::milliseconds;

constexpr milliseconds kDay = days{1};
constexpr milliseconds kMost = std::chrono::hours{1};

milliseconds time_of_day(WallTime time) noexcept { return time - std::chrono::floor<days>(time); }

// Time until these hours end, when they are on at this time of day; otherwise zero.
milliseconds left_of(const QuietHours& hours, milliseconds time) noexcept {
  const milliseconds from = hours.from;
  const milliseconds to = hours.to;
  if (from <= to) return time >= from && time < to ? to - time : milliseconds{0};
  if (time < to) return to - time;
  return time >= from ? kDay - time + to : milliseconds{0};
}

}  // namespace

bool Quiet::quiet(const WallReading& wall) const noexcept {
  if (!wall.trusted) return false;
  const milliseconds time = time_of_day(wall.time);
  return std::any_of(hours_.begin(), hours_.end(),
                     [time](const QuietHours& hours) { return left_of(hours, time) > milliseconds{0}; });
}

std::optional<BootTime> Quiet::next(BootTime now, const WallReading& wall) const noexcept {
  if (!quiet(wall)) return std::nullopt;
  milliseconds left{0};
  for (const QuietHours& hours : hours_) left = std::max(left, left_of(hours, time_of_day(wall.time)));
  // Others may follow at once: then the look finds it quiet still.
  return now + std::min(left, kMost);
}

}  // namespace satchel::relay
