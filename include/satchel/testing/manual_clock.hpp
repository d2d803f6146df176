// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::testing {

/// A clock that stands still until the test moves it. It never reads real time. Thread-safe.
///
/// `wait` returns at once when its time has come or when there is no descriptor to wait for; otherwise it
/// blocks until a descriptor is readable or the test moves the clock.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(BootTime start = BootTime{std::chrono::hours{1}}) : now_{start} {}

  BootTime now() const noexcept override {
    const std::lock_guard lock{mutex_};
    return now_;
  }

  WallReading wall() const noexcept override {
    const std::lock_guard lock{mutex_};
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now_ - wall_set_);
    return {wall_ + since, trusted_};
  }

  std::string boot_id() const override {
    const std::lock_guard lock{mutex_};
    return boot_id_;
  }

  void wait(std::span<const int> descriptors, std::optional<BootTime> until) const override {
    if (descriptors.empty()) return;
    const Bell bell{*this};
    {
      const std::lock_guard lock{mutex_};
      if (until && *until <= now_) return;
    }
    std::vector<pollfd> watched;
    for (const int descriptor : descriptors) watched.push_back({descriptor, POLLIN, 0});
    watched.push_back({bell.descriptor, POLLIN, 0});
    ::poll(watched.data(), static_cast<nfds_t>(watched.size()), -1);
  }

  /// Moves the clock on.
  void advance(std::chrono::microseconds time) { set_now(now() + time); }

  /// Moves the clock to `time`. Going back is a defect of the test: it ends the program.
  void set_now(BootTime time) {
    const std::lock_guard lock{mutex_};
    if (time < now_) std::abort();
    now_ = time;
    for (const int bell : bells_) ring(bell);
  }

  /// Steps the wall clock; from then on it runs with the boot clock.
  void set_wall(WallTime time, bool trusted) {
    const std::lock_guard lock{mutex_};
    wall_ = time;
    wall_set_ = now_;
    trusted_ = trusted;
  }

  /// Restarts the device: time since boot begins again, the boot id is another one.
  void reboot(std::string boot_id, BootTime start = BootTime{std::chrono::seconds{10}}) {
    const std::lock_guard lock{mutex_};
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now_ - wall_set_);
    wall_ += since;
    wall_set_ = now_ = start;
    boot_id_ = std::move(boot_id);
  }

 private:
  /// What wakes one waiter when the clock moves.
  struct Bell {
    explicit Bell(const ManualClock& owner)
        : clock{owner}, descriptor{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
      if (descriptor < 0) std::abort();
      const std::lock_guard lock{clock.mutex_};
      clock.bells_.push_back(descriptor);
    }
    ~Bell() {
      {
        const std::lock_guard lock{clock.mutex_};
        std::erase(clock.bells_, descriptor);
      }
      ::close(descriptor);
    }
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;

    const ManualClock& clock;
    const int descriptor;
  };

  static void ring(int bell) noexcept {
    const std::uint64_t one = 1;
    // A bell that is full is ringing already.
    [[maybe_unused]] const auto written = ::write(bell, &one, sizeof one);
  }

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  BootTime now_;
  WallTime wall_{std::chrono::milliseconds{1'700'000'000'000}};
  BootTime wall_set_{now_};
  bool trusted_ = false;
  std::string boot_id_ = "00000000-0000-4000-8000-000000000001";
  mutable std::vector<int> bells_;
};

}  // namespace satchel::testing

#pragma GCC visibility pop
