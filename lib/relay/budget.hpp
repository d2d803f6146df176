// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/route.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::relay {

/// Counts the bytes of a route against its data budget. The last `urgent_reserve` bytes of a period are for
/// urgent messages. A message that is larger than all that it may use goes when nothing has been used yet.
/// Pure: it is told the time.
///
/// When a new period begins, and the budget is full again:
///
/// - The trusted wall clock shows another day or month, of UTC, than it showed before. It has to have come
///   there by itself: a step of the clock by more than an hour within one boot begins no period, it only says
///   which one it is. And half a period has to have passed since the last one began, but for the first ever.
/// - Nobody trusts the wall clock, and 24 hours or 30 days have passed since the period began. Time that the
///   device was off counts when the clock is trusted again, not before.
/// - In any case when one and a half times that have passed: a clock that stands still or is put back again
///   and again cannot close a route for good.
///
/// So no step of the clock in either direction fills the budget, and none keeps it empty for longer than one
/// and a half periods. A clock that is wrong but trusted after a reboot cannot be told from a device that was
/// off: it can begin a period too early, once a reboot.
class Budget {
 public:
  explicit Budget(const DataBudget& options) noexcept : options_{options} {}

  /// There is a budget; without one everything is admitted and nothing counted.
  bool limits() const noexcept { return options_.bytes > 0; }

  /// One more message of so many bytes may go now.
  bool admits(std::size_t bytes, bool urgent, BootTime now, const WallReading& wall) noexcept;
  /// It goes.
  void take(std::size_t bytes, BootTime now, const WallReading& wall) noexcept;
  /// When to look again for a message of so many bytes; nothing: it may go now. At most an hour later: the
  /// wall clock may become trusted meanwhile, and nobody tells.
  std::optional<BootTime> next(std::size_t bytes, bool urgent, BootTime now,
                               const WallReading& wall) noexcept;
  /// Bytes used in the current period.
  std::uint64_t used(BootTime now, const WallReading& wall) noexcept;

  /// What has to be kept over a restart, as text. It changes with every look; worth keeping when something
  /// was taken.
  std::string note(const std::string& boot_id) const;
  /// Goes on from a note, of this boot or another. A note that was damaged is not believed: false, and the
  /// budget is as at the first start.
  bool restore(std::string_view note, const std::string& boot_id, BootTime now) noexcept;

 private:
  struct Trusted {
    WallTime wall{};
    BootTime boot{};
    bool this_boot = false;
    /// How long the period had lasted then.
    BootTimeTag::duration elapsed{0};
  };

  void look(BootTime now, const WallReading& wall) noexcept;
  void follow(const WallReading& wall, BootTime now) noexcept;
  void begin_period() noexcept;
  bool fits(std::uint64_t used, std::size_t bytes, bool urgent) const noexcept;
  std::chrono::milliseconds length() const noexcept;
  /// Number of the day or month, counted from 1970.
  std::int64_t number_of(WallTime time) const noexcept;
  WallTime start_of(std::int64_t number) const noexcept;

  DataBudget options_;
  std::uint64_t used_ = 0;
  /// Since the period began, as far as is known.
  BootTimeTag::duration elapsed_{0};
  /// Nothing: nobody has asked yet.
  std::optional<BootTime> looked_;
  /// The day or month that the trusted clock showed last.
  std::optional<std::int64_t> number_;
  std::optional<Trusted> trusted_;
  /// No period has ended yet.
  bool first_ = true;
};

}  // namespace satchel::relay
