// SPDX-License-Identifier: MIT
#include "relay/limits.hpp"

#include <algorithm>

namespace satchel::relay {

std::optional<BootTime> Limits::next(std::size_t bytes, bool urgent, BootTime now,
                                     const WallReading& wall) noexcept {
  std::optional<BootTime> latest = throttle_.next(bytes, now);
  const auto consider = [&latest](std::optional<BootTime> time) {
    if (time && (!latest || *time > *latest)) latest = time;
  };
  consider(budget_.next(bytes, urgent, now, wall));
  if (!urgent) consider(quiet_.next(now, wall));
  return latest;
}

}  // namespace satchel::relay
