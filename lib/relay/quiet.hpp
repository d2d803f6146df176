// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/route.hpp>

#include <optional>
#include <vector>

namespace satchel::relay {

/// The hours in which a route sends urgent messages only. Pure: it is told the time. No hour is quiet while
/// the wall clock is not trusted, and what it showed before is not remembered, so that a step of it, however
/// far, holds nothing up for longer than the hours themselves last.
class Quiet {
 public:
  explicit Quiet(std::vector<QuietHours> hours) : hours_{std::move(hours)} {}

  bool quiet(const WallReading& wall) const noexcept;

  /// When it is worth looking again; nothing: it is not quiet. At most an hour later: the wall clock may step
  /// meanwhile, and nobody tells.
  std::optional<BootTime> next(BootTime now, const WallReading& wall) const noexcept;

 private:
  std::vector<QuietHours> hours_;
};

}  // namespace satchel::relay
