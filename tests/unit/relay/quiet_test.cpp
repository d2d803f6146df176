// SPDX-License-Identifier: MIT
#include "relay/quiet.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace satchel;
using namespace satchel::relay;
using namespace std::chrono_literals;

namespace {

constexpr BootTime kNow{1h};
constexpr std::chrono::sys_days kDay = std::chrono::year{2026} / 11 / 23;

WallReading at(std::chrono::milliseconds since_midnight) { return {kDay + since_midnight, true}; }

}  // namespace

TEST_CASE("quiet hours: from the first minute on, until the last is over") {
  const Quiet quiet{{{.from = 8h, .to = 17h}}};
  CHECK_FALSE(quiet.quiet(at(8h - 1ms)));
  CHECK(quiet.quiet(at(8h)));
  CHECK(quiet.quiet(at(17h - 1ms)));
  CHECK_FALSE(quiet.quiet(at(17h)));
}

TEST_CASE("quiet hours: past midnight") {
  const Quiet quiet{{{.from = 22h + 30min, .to = 6h}}};
  CHECK_FALSE(quiet.quiet(at(22h + 30min - 1ms)));
  CHECK(quiet.quiet(at(22h + 30min)));
  CHECK(quiet.quiet(at(24h - 1ms)));
  CHECK(quiet.quiet(at(0h)));
  CHECK(quiet.quiet(at(6h - 1ms)));
  CHECK_FALSE(quiet.quiet(at(6h)));
  CHECK_FALSE(quiet.quiet(at(12h)));
}

TEST_CASE("quiet hours: the ends of a day") {
  const Quiet all_day{{{.from = 0h, .to = 24h}}};
  CHECK(all_day.quiet(at(0h)));
  CHECK(all_day.quiet(at(24h - 1ms)));
  const Quiet from_midnight{{{.from = 24h, .to = 1h}}};
  CHECK(from_midnight.quiet(at(30min)));
  CHECK_FALSE(from_midnight.quiet(at(1h)));
  CHECK_FALSE(from_midnight.quiet(at(23h)));
  CHECK_FALSE(Quiet{{}}.quiet(at(0h)));
  CHECK_FALSE(Quiet({{.from = 5h, .to = 5h}}).quiet(at(5h)));
}

TEST_CASE("quiet hours: none while the clock is not trusted") {
  const Quiet quiet{{{.from = 0h, .to = 24h}}};
  CHECK_FALSE(quiet.quiet({kDay + 3h, false}));
  CHECK_FALSE(quiet.next(kNow, {kDay + 3h, false}).has_value());
}

TEST_CASE("quiet hours: worth another look at their end, and every hour until then") {
  const Quiet quiet{{{.from = 22h, .to = 6h}}};
  CHECK_FALSE(quiet.next(kNow, at(21h)).has_value());
  CHECK(quiet.next(kNow, at(22h)) == kNow + 1h);
  CHECK(quiet.next(kNow, at(5h + 45min)) == kNow + 15min);
  CHECK(quiet.next(kNow, at(6h - 1ms)) == kNow + 1ms);
}

TEST_CASE("quiet hours: several that overlap are one") {
  const Quiet quiet{{{.from = 1h, .to = 3h}, {.from = 2h, .to = 4h}, {.from = 4h, .to = 5h}}};
  CHECK(quiet.next(kNow, at(2h + 30min)) == kNow + 1h);
  CHECK(quiet.next(kNow, at(3h + 30min)) == kNow + 30min);
  CHECK(quiet.quiet(at(4h)));
  CHECK_FALSE(quiet.quiet(at(5h)));
}

TEST_CASE("quiet hours: a clock that steps by half a century holds nothing up for longer than they last") {
  const Quiet quiet{{{.from = 22h, .to = 6h}}};
  for (const int years : {-50, -3000, 50, 3000}) {
    CAPTURE(years);
    std::chrono::milliseconds quiet_for{0};
    WallReading wall{WallTime{kDay + 22h} + std::chrono::days{365 * years}, true};
    BootTime now = kNow;
    while (const auto next = quiet.next(now, wall)) {
      REQUIRE(*next > now);
      wall.time += std::chrono::duration_cast<std::chrono::milliseconds>(*next - now);
      now = *next;
      quiet_for = std::chrono::duration_cast<std::chrono::milliseconds>(now - kNow);
    }
    CHECK(quiet_for <= 8h);
  }
}
