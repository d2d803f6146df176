// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace satchel::store {

/// The present, as one boot of the device sees it. Offsets are wall time minus boot-clock time, in
/// milliseconds.
struct Present {
  std::int64_t boot = 0;
  std::int64_t now = 0;  ///< boot clock, ms
  std::optional<std::int64_t> wall_offset{};
  bool trusted = false;
  /// Boot clock when the file was opened, ms. 0: the clock began anew with this boot for certain.
  std::int64_t opened = 0;
};

/// When something happened: at `at` ms of the boot clock of `boot`. Any of it may be unknown.
struct Moment {
  std::optional<std::int64_t> boot{};
  std::optional<std::int64_t> at{};
  std::optional<std::int64_t> wall_offset{};  ///< of its boot
};

/// Milliseconds since `moment`, never more than really passed as far as the clocks can be believed; nothing
/// when nothing is known about it. Within one boot it is exact. From an earlier boot it is the wall time
/// between, if both boots' offsets are known, the clock is trusted, and that is at most ten years: one of two
/// clocks that are further apart is wrong. Otherwise, and at least, it is the time since this boot; or since
/// `at`, when the file was opened later than that: then the boot may have another name and be the same.
std::optional<std::int64_t> age_of(const Moment& moment, const Present& present) noexcept;

/// The wall time of `moment`; nothing while the clock of its boot has not been trusted.
std::optional<WallTime> wall_time_of(const Moment& moment) noexcept;

/// What is left of `time_to_live`.
std::chrono::milliseconds remaining_of(std::int64_t time_to_live, std::int64_t age) noexcept;

/// Sum and difference that stop at the limits of the type: rows may hold any number.
std::int64_t add(std::int64_t a, std::int64_t b) noexcept;
std::int64_t subtract(std::int64_t a, std::int64_t b) noexcept;

/// Boot-clock time in whole milliseconds, and back.
std::int64_t to_ms(BootTime time) noexcept;
BootTime from_ms(std::int64_t ms) noexcept;

}  // namespace satchel::store
