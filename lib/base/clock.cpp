// SPDX-License-Identifier: MIT
#include <satchel/clock.hpp>

#include <poll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <vector>

namespace satchel {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// 2026-11-01: no device runs this release earlier.
constexpr WallTime kRelease{milliseconds{1'793'491'200'000}};

microseconds read(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds{time.tv_sec} +
         std::chrono::duration_cast<microseconds>(nanoseconds{time.tv_nsec});
}

bool synchronised() noexcept {
  timex state{};
  const int result = adjtimex(&state);
  return result != -1 && result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

std::string random_id() {
  std::uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits))
    bits = static_cast<std::uint64_t>(getpid());
  return fmt::format("process-{:016x}", bits);
}

// Without the kernel's boot id every process counts as a boot of its own: times are then compared less often,
// never wrongly.
std::string read_boot_id() {
  std::ifstream file{"/proc/sys/kernel/random/boot_id"};
  std::string id;
  if (!(file >> id)) id = random_id();
  return id;
}

// CLOCK_BOOTTIME goes on in suspend, poll's own time limit does not: a timer descriptor wakes on time.
class BootTimer {
 public:
  explicit BootTimer(BootTime until) noexcept
      : descriptor_{timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)} {
    const auto since_boot = std::max(until.time_since_epoch(), microseconds{1});
    // Where time_t has 32 bits, what lies beyond it would be a time long ago.
    const auto latest = std::chrono::seconds{std::numeric_limits<time_t>::max()};
    const auto seconds = std::min(std::chrono::duration_cast<std::chrono::seconds>(since_boot), latest);
    const auto rest = std::min<microseconds>(since_boot - seconds, microseconds{999'999});
    itimerspec time{};
    time.it_value.tv_sec = static_cast<time_t>(seconds.count());
    time.it_value.tv_nsec = static_cast<long>(nanoseconds{rest}.count());
    if (descriptor_ != -1) timerfd_settime(descriptor_, TFD_TIMER_ABSTIME, &time, nullptr);
  }
  ~BootTimer() {
    if (descriptor_ != -1) close(descriptor_);
  }
  BootTimer(const BootTimer&) = delete;
  BootTimer& operator=(const BootTimer&) = delete;
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

class SystemClock final : public Clock {
 public:
  BootTime now() const noexcept override { return BootTime{read(CLOCK_BOOTTIME)}; }

  WallReading wall() const noexcept override {
    const WallTime time{std::chrono::duration_cast<milliseconds>(read(CLOCK_REALTIME))};
    return {time, time >= kRelease || synchronised()};
  }

  std::string boot_id() const override { return boot_id_; }

  void wait(std::span<const int> descriptors, std::optional<BootTime> until) const override {
    std::vector<pollfd> polled;
    polled.reserve(descriptors.size() + 1);
    for (const int descriptor : descriptors) polled.push_back({descriptor, POLLIN, 0});
    if (!until) {
      poll(polled.data(), polled.size(), -1);
      return;
    }
    const BootTimer timer{*until};
    polled.push_back({timer.descriptor(), POLLIN, 0});
    // Out of descriptors: poll's clock stops in suspend, which is late, not lost.
    const auto left = std::chrono::ceil<milliseconds>(*until - now()).count();
    const int limit =
        timer.descriptor() == -1 ? static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)) : -1;
    poll(polled.data(), polled.size(), limit);
  }

 private:
  const std::string boot_id_ = read_boot_id();
};

}  // namespace

std::shared_ptr<Clock> system_clock() {
  static const std::shared_ptr<Clock> clock = std::make_shared<SystemClock>();
  return clock;
}

}  // namespace satchel
