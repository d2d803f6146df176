// SPDX-License-Identifier: MIT
#include "relay/throttle.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using namespace satchel;
using namespace satchel::relay;
using namespace std::chrono_literals;

namespace {

constexpr BootTime kStart{1h};

Throttle throttle(double messages, double bytes) {
  RouteOptions route;
  route.messages_per_second = messages;
  route.bytes_per_second = bytes;
  return Throttle{route};
}

/// Messages of so many bytes that go from now on until `end`, each as soon as it may.
std::uint64_t sent(Throttle& throttle, std::size_t bytes, BootTime from, BootTime end) {
  std::uint64_t count = 0;
  BootTime now = from;
  while (now < end) {
    while (throttle.admits(bytes, now)) {
      throttle.take(bytes, now);
      ++count;
    }
    const auto next = throttle.next(bytes, now);
    REQUIRE(next.has_value());
    REQUIRE(*next > now);
    now = *next;
  }
  return count;
}

}  // namespace

TEST_CASE("throttle: without a limit everything goes") {
  Throttle none = throttle(0, 0);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(none.admits(std::numeric_limits<std::size_t>::max(), kStart));
    none.take(std::numeric_limits<std::size_t>::max(), kStart);
  }
  CHECK_FALSE(none.next(1, kStart).has_value());
}

TEST_CASE("throttle: one second's worth goes at once, then so many messages a second") {
  Throttle ten = throttle(10, 0);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(ten.admits(1, kStart));
    ten.take(1, kStart);
  }
  CHECK_FALSE(ten.admits(1, kStart));
  CHECK(ten.next(1, kStart) == kStart + 100ms);
  CHECK_FALSE(ten.admits(1, kStart + 100ms - 1us));
  CHECK(ten.admits(1, kStart + 100ms));
  CHECK(sent(ten, 1, kStart, kStart + 100s) == 999);
}

TEST_CASE(
    "throttle: the average over an hour holds at any rate, and never does more than one second's worth more "
    "go") {
  for (const double rate : {0.001, 0.5, 1.0, 3.0, 7.7, 1000.0}) {
    CAPTURE(rate);
    Throttle limited = throttle(rate, 0);
    const double expected = rate * 3600;
    const auto count = static_cast<double>(sent(limited, 1, kStart, kStart + 1h));
    CHECK(count <= expected + std::max(rate, 1.0) + 1);
    CHECK(count >= expected - 1);
  }
}

TEST_CASE("throttle: bytes are limited beside messages, and the narrower limit counts") {
  Throttle both = throttle(100, 1000);
  CHECK(sent(both, 100, kStart, kStart + 60s) <= 10 * 61 + 1);
  Throttle small = throttle(5, 1000);
  CHECK(sent(small, 1, kStart, kStart + 60s) <= 5 * 61 + 1);
}

TEST_CASE("throttle: a message larger than one second's worth goes when nothing is owed, and is paid off") {
  Throttle slow = throttle(0, 10);
  REQUIRE(slow.admits(600, kStart));
  slow.take(600, kStart);
  CHECK_FALSE(slow.admits(1, kStart));
  CHECK(slow.next(600, kStart) == kStart + 60s);
  CHECK(slow.next(1, kStart) == kStart + 59s + 100ms);
  CHECK_FALSE(slow.admits(600, kStart + 60s - 1us));
  CHECK(slow.admits(600, kStart + 60s));
  CHECK(sent(slow, 600, kStart, kStart + 1h) == 59);
}

TEST_CASE("throttle: time without messages saves up one second's worth and no more") {
  Throttle ten = throttle(10, 0);
  CHECK(sent(ten, 1, kStart, kStart + 1s) == 19);
  BootTime late = kStart + 24h * 3650;
  int burst = 0;
  while (ten.admits(1, late)) {
    ten.take(1, late);
    ++burst;
  }
  CHECK(burst == 10);
}

TEST_CASE("throttle: the ends of the ranges neither overflow nor stop anything for good") {
  Throttle slowest = throttle(0.001, 1);
  const std::size_t largest = std::numeric_limits<std::size_t>::max();
  REQUIRE(slowest.admits(largest, kStart));
  slowest.take(largest, kStart);
  const auto next = slowest.next(1, kStart);
  REQUIRE(next.has_value());
  CHECK(*next > kStart + 24h * 365);
  CHECK(slowest.admits(1, *next));

  Throttle fastest = throttle(1e6, 1e10);
  int burst = 0;
  while (fastest.admits(1000, kStart)) {
    fastest.take(1000, kStart);
    ++burst;
  }
  CHECK(burst == 1'000'000);
  CHECK(fastest.next(1000, kStart) == kStart + 5ms);
}
