// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#pragma GCC visibility push(default)

namespace satchel {

/// Tag of times counted from the boot of the device, suspend included (CLOCK_BOOTTIME). Never steps.
struct BootTimeTag {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootTimeTag>;
  static constexpr bool is_steady = true;  ///< what a clock of the standard library says of itself
};
using BootTime = BootTimeTag::time_point;

/// Milliseconds since 1970-01-01 UTC.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// What the wall clock shows, and whether it can be believed.
struct WallReading {
  WallTime time;  ///< what it shows
  bool trusted;   ///< whether that can be believed
};

/// Port: where satchel gets the time from and how it waits. All methods may be called from any thread at
/// once.
///
/// Every wait, backoff and timeout runs on `now()`. The wall clock is only read to date messages, and only
/// believed while it is trusted.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Time since boot. Must never go back.
  virtual BootTime now() const noexcept = 0;

  /// Wall time. Untrusted is the normal state of a device without a battery-backed clock at boot.
  virtual WallReading wall() const noexcept = 0;

  /// Differs for every boot of the device, and stays the same within one.
  virtual std::string boot_id() const = 0;

  /// Blocks until one of `descriptors` is readable or `now()` has reached `until` (no value: no time limit).
  /// May return early for no reason.
  virtual void wait(std::span<const int> descriptors, std::optional<BootTime> until) const = 0;
};

/// The device's own clocks. The wall clock is trusted when the kernel says that it is synchronised
/// (adjtimex) or when it shows a time later than this release of satchel.
std::shared_ptr<Clock> system_clock();

}  // namespace satchel

#pragma GCC visibility pop
