// SPDX-License-Identifier: MIT
#include "base/trust_clock.hpp"

#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>

using namespace satchel;
using namespace std::chrono_literals;
using satchel::testing::ManualClock;

TEST_CASE("trust clock: the function alone decides, reading by reading") {
  const auto clock = std::make_shared<ManualClock>();
  const WallTime limit{1'800'000'000'000ms};
  Options options;
  options.clock = clock;
  options.trust_clock = [limit](WallTime time) { return time >= limit; };
  const auto trusting = clock_of(options);

  clock->set_wall(limit - 1ms, true);
  CHECK_FALSE(trusting->wall().trusted);
  CHECK(trusting->wall().time == limit - 1ms);
  clock->set_wall(limit, false);
  CHECK(trusting->wall().trusted);
}

TEST_CASE("trust clock: everything else is the clock's own") {
  const auto clock = std::make_shared<ManualClock>();
  const auto trusting = satchel::trusting(clock, [](WallTime) { return true; });
  clock->advance(5s);
  CHECK(trusting->now() == clock->now());
  CHECK(trusting->boot_id() == clock->boot_id());
  trusting->wait({}, std::nullopt);
}

TEST_CASE("trust clock: a function that throws is not believed") {
  const auto clock = std::make_shared<ManualClock>();
  clock->set_wall(WallTime{1'800'000'000'000ms}, true);
  const auto trusting =
      satchel::trusting(clock, [](WallTime) -> bool { throw std::runtime_error{"no answer"}; });
  CHECK_FALSE(trusting->wall().trusted);
}

TEST_CASE("trust clock: without a function the clock says itself, and without a clock it is the system's") {
  const auto clock = std::make_shared<ManualClock>();
  Options options;
  options.clock = clock;
  CHECK(clock_of(options) == clock);
  CHECK(clock_of(Options{}) == system_clock());
}
