// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <ctime>

namespace satchel::mqtt {

/// Sockets do not live in virtual time, so the sink reads the clock itself; suspend counts against its
/// timeouts.
inline BootTime boot_now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return BootTime{std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_nsec / 1000}};
}

}  // namespace satchel::mqtt
