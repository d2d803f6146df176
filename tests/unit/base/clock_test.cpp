// SPDX-License-Identifier: MIT
#include <satchel/clock.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>

using namespace satchel;
using namespace std::chrono_literals;

namespace {

/// Becomes readable a little later, as an event of the relay would.
class Event {
 public:
  Event() : descriptor_{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)} {
    const itimerspec soon{{}, {0, 20'000'000}};
    REQUIRE(timerfd_settime(descriptor_, 0, &soon, nullptr) == 0);
  }
  ~Event() { close(descriptor_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  bool happened() const {
    pollfd polled{descriptor_, POLLIN, 0};
    return poll(&polled, 1, 0) == 1;
  }

 private:
  int descriptor_;
};

}  // namespace

TEST_CASE("clock: a wait for a time that 32 bits of seconds cannot hold does not end at once") {
  const auto clock = system_clock();
  for (const BootTime until : {clock->now() + std::chrono::seconds{1LL << 32}, clock->now() + 876'000h,
                               BootTime{std::chrono::seconds{1LL << 31}}, BootTime::max()}) {
    CAPTURE(until.time_since_epoch().count());
    const Event event;
    const std::array descriptors{event.descriptor()};
    clock->wait(descriptors, until);
    CHECK(event.happened());
  }
}

TEST_CASE("clock: a wait for a time that has passed ends without an event") {
  const auto clock = system_clock();
  clock->wait({}, clock->now() - 1s);
  clock->wait({}, BootTime{});
  clock->wait({}, clock->now() + 1ms);
  CHECK(clock->now() > BootTime{});
}
