// SPDX-License-Identifier: MIT
#include "relay/budget.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

using namespace satchel;
using namespace satchel::relay;
using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::milliseconds;

namespace {

constexpr DataBudget kDaily{.bytes = 1000, .urgent_reserve = 200, .period = DataBudget::Period::day};
constexpr DataBudget kMonthly{.bytes = 1000, .urgent_reserve = 200, .period = DataBudget::Period::month};
constexpr milliseconds kHalfCentury = days{50 * 365};

/// A device with its two clocks.
struct Device {
  explicit Device(const DataBudget& options) : budget{options} {}

  void pass(milliseconds time) {
    now += time;
    wall.time += time;
  }
  void step(milliseconds by) { wall.time += by; }
  void reboot(milliseconds off = {}) {
    const std::string note = budget.note(boot);
    boot += "'";
    now = BootTime{10s};
    wall.time += off;
    Budget fresh{options_of_note};
    budget = fresh;
    CHECK(budget.restore(note, boot, now));
  }
  bool admits(std::size_t bytes, bool urgent = false) { return budget.admits(bytes, urgent, now, wall); }
  void take(std::size_t bytes) { budget.take(bytes, now, wall); }
  std::uint64_t used() { return budget.used(now, wall); }
  /// Uses up all of it, for urgent messages too.
  void exhaust() {
    take(1000);
    REQUIRE_FALSE(admits(1, true));
  }
  /// How long it takes until a message may go again, with looks when the budget wants them; a year at most.
  milliseconds wait() {
    const BootTime from = now;
    while (const auto next = budget.next(1, false, now, wall)) {
      REQUIRE(*next > now);
      pass(std::chrono::ceil<milliseconds>(*next - now));
      if (now - from > days{365}) break;
    }
    return std::chrono::duration_cast<milliseconds>(now - from);
  }

  DataBudget options_of_note = kDaily;
  Budget budget;
  BootTime now{1h};
  WallReading wall{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 10h, true};
  std::string boot = "boot";
};

Device daily() { return Device{kDaily}; }

Device monthly() {
  Device device{kMonthly};
  device.options_of_note = kMonthly;
  return device;
}

/// A note with a sum that is right, as a satchel of another version may have written it.
std::string summed(const std::string& body) {
  std::uint32_t sum = 2'166'136'261U;
  for (const char character : body) sum = (sum ^ static_cast<unsigned char>(character)) * 16'777'619U;
  return fmt::format("{:08x} {}", sum, body);
}

}  // namespace

TEST_CASE("budget: without one nothing is counted") {
  Device device{DataBudget{}};
  CHECK_FALSE(device.budget.limits());
  device.take(std::numeric_limits<std::size_t>::max());
  CHECK(device.admits(std::numeric_limits<std::size_t>::max()));
  CHECK(device.used() == 0);
  CHECK(device.wait() == 0ms);
}

TEST_CASE("budget: the last bytes are for urgent messages") {
  Device device = daily();
  CHECK(device.admits(800));
  device.take(799);
  CHECK(device.admits(1));
  CHECK_FALSE(device.admits(2));
  CHECK(device.admits(201, true));
  CHECK_FALSE(device.admits(202, true));
  device.take(1);
  CHECK_FALSE(device.admits(0));
  device.take(200);
  CHECK_FALSE(device.admits(1, true));
  CHECK(device.used() == 1000);
}

TEST_CASE("budget: a message larger than all of it goes when nothing has been used, and is counted") {
  Device device = daily();
  CHECK(device.admits(5000));
  device.take(1);
  CHECK_FALSE(device.admits(5000));
  device.take(5000);
  CHECK_FALSE(device.admits(1, true));
  device.pass(14h);
  CHECK(device.admits(5000));
}

TEST_CASE("budget: all of it in reserve leaves nothing to others") {
  Device device{{.bytes = 10, .urgent_reserve = 10, .period = DataBudget::Period::day}};
  CHECK_FALSE(device.admits(1));
  CHECK(device.admits(10, true));
}

// A message has at most as many bytes as a size can hold: where that has 32 bits, no two messages get there.
TEST_CASE("budget: counts up to the largest number and no further" *
          doctest::skip(sizeof(std::size_t) < sizeof(std::uint64_t))) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  Device device{{.bytes = kMost, .urgent_reserve = 0, .period = DataBudget::Period::day}};
  device.take(static_cast<std::size_t>(kMost));
  device.take(static_cast<std::size_t>(kMost));
  CHECK(device.used() == kMost);
  CHECK_FALSE(device.admits(1));
}

TEST_CASE("budget: begins anew with the day of UTC") {
  Device device = daily();
  device.exhaust();
  device.pass(14h - 1ms);
  CHECK_FALSE(device.admits(1));
  device.pass(1ms);
  CHECK(device.used() == 0);
  device.exhaust();
  CHECK(device.wait() == 24h);
}

TEST_CASE("budget: begins anew with the month of UTC, whatever its length") {
  Device device = monthly();
  device.exhaust();
  CHECK(device.wait() == days{7} + 14h);
  for (const int length : {31, 31, 28, 31, 30}) {
    CAPTURE(length);
    device.exhaust();
    CHECK(device.wait() == days{length});
  }
}

TEST_CASE("budget: while nobody knows the time a day is 24 hours and a month 30 days") {
  Device device = daily();
  device.wall.trusted = false;
  device.exhaust();
  CHECK(device.wait() == 24h);
  Device other = monthly();
  other.wall.trusted = false;
  other.exhaust();
  CHECK(other.wait() == days{30});
  other.exhaust();
  CHECK(other.wait() == days{30});
}

TEST_CASE("budget: the first synchronisation says which period it is and begins none") {
  Device device = daily();
  const WallReading right = device.wall;
  device.wall = {WallTime{}, false};
  device.exhaust();
  device.pass(1h);
  device.wall = right;
  CHECK_FALSE(device.admits(1, true));
  CHECK(device.wait() == 14h);
}

TEST_CASE(
    "budget: a step of the clock fills nothing and closes nothing for longer than a period and a half") {
  for (const bool day : {true, false}) {
    for (const milliseconds step :
         {kHalfCentury, -kHalfCentury, milliseconds{days{40}}, milliseconds{-days{40}}, milliseconds{2h},
          milliseconds{-2h}, milliseconds{days{365 * 7000}}}) {
      for (const bool trusted : {true, false}) {
        CAPTURE(day);
        CAPTURE(step.count());
        CAPTURE(trusted);
        Device device = day ? daily() : monthly();
        device.exhaust();
        device.wall.trusted = trusted;
        device.step(step);
        CHECK_FALSE(device.admits(1, true));
        device.wall.trusted = true;
        CHECK_FALSE(device.admits(1, true));
        device.step(-step);
        CHECK_FALSE(device.admits(1, true));
        device.step(step);
        CHECK_FALSE(device.admits(1, true));
        CHECK(device.wait() <= (day ? milliseconds{36h} : milliseconds{days{45}}));
        device.exhaust();
        // From here on the clock runs: whatever it shows, it is that calendar that counts.
        CHECK(device.wait() >= (day ? milliseconds{12h} : milliseconds{days{15}}));
      }
    }
  }
}

TEST_CASE("budget: a clock that is put back again and again cannot close it for good") {
  Device device = daily();
  device.exhaust();
  milliseconds waited{0};
  while (!device.admits(1)) {
    device.pass(30min);
    device.step(-30min);
    waited += 30min;
    REQUIRE(waited < days{3});
  }
  CHECK(waited == 36h);
}

TEST_CASE("budget: a clock that runs ahead in small steps fills it twice a period at most") {
  Device device = daily();
  int filled = 0;
  for (int i = 0; i < 10 * 24 * 60; ++i) {
    if (device.admits(1, true)) {
      device.exhaust();
      ++filled;
    }
    device.pass(1min);
    device.step(55min);
  }
  CHECK(filled <= 2 * 10 + 2);
}

TEST_CASE("budget: goes on after a restart of the process") {
  Device device = monthly();
  device.take(700);
  device.pass(1h);
  const std::string note = device.budget.note(device.boot);
  device.pass(1h);
  Budget other{kMonthly};
  REQUIRE(other.restore(note, device.boot, device.now));
  CHECK(other.used(device.now, device.wall) == 700);
  device.budget = other;
  device.exhaust();
  device.step(kHalfCentury);
  CHECK_FALSE(device.admits(1, true));
}

TEST_CASE("budget: goes on after a reboot, and time switched off counts as soon as it is known") {
  Device device = monthly();
  device.wall.time = std::chrono::sys_days{std::chrono::year{2027} / 1 / 10};
  device.exhaust();
  device.reboot(days{3});
  CHECK_FALSE(device.admits(1, true));
  device.reboot(days{25});
  CHECK(device.admits(1));

  device.exhaust();
  const WallReading right = device.wall;
  device.wall = {WallTime{}, false};
  device.reboot();
  CHECK_FALSE(device.admits(1, true));
  device.pass(1h);
  device.wall = {right.time + days{30}, true};
  CHECK(device.admits(1));
}

TEST_CASE("budget: reboots without the right time do not keep it empty for good") {
  Device device = daily();
  device.wall.trusted = false;
  device.exhaust();
  int reboots = 0;
  while (!device.admits(1)) {
    device.pass(1h);
    device.used();
    device.reboot();
    REQUIRE(++reboots < 100);
  }
  CHECK(reboots <= 24);
}

TEST_CASE("budget: a clock that goes back over a reboot fills nothing, and does not close it for years") {
  for (const milliseconds step : {-kHalfCentury, milliseconds{-days{2}}}) {
    CAPTURE(step.count());
    Device device = daily();
    device.exhaust();
    device.reboot(step);
    CHECK_FALSE(device.admits(1, true));
    CHECK(device.wait() <= 36h);
  }
}

TEST_CASE("budget: a clock that goes ahead over a reboot begins one period, and back again none") {
  Device device = daily();
  device.exhaust();
  device.reboot(kHalfCentury);
  CHECK(device.admits(1));
  device.exhaust();
  device.reboot(-kHalfCentury);
  CHECK_FALSE(device.admits(1, true));
  CHECK(device.wait() <= 36h);
}

TEST_CASE("budget: a note that was damaged is not believed, and hurts nobody") {
  Device device = daily();
  device.take(700);
  const std::string note = device.budget.note(device.boot);
  for (std::size_t at = 0; at < note.size(); ++at) {
    CAPTURE(at);
    std::string flipped = note;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    Budget other{kDaily};
    CHECK_FALSE(other.restore(flipped, device.boot, device.now));
    CHECK_FALSE(other.restore(note.substr(0, at), device.boot, device.now));
    CHECK(other.used(device.now, device.wall) == 0);
  }
  std::mt19937 random{7};
  for (int i = 0; i < 10'000; ++i) {
    std::string noise(random() % 80, '\0');
    for (char& character : noise) character = static_cast<char>(random() % 256);
    CHECK_FALSE(Budget{kDaily}.restore(noise, device.boot, device.now));
  }
}

TEST_CASE("budget: a note of other contents is not believed, whatever its sum says") {
  const Device device = daily();
  const auto believed = [&](const std::string& body) {
    return Budget{kDaily}.restore(summed(body), "boot", device.now);
  };
  const std::vector<std::string> words{"1", "700", "0", "1", "20000", "0", "0", "0", "0", "boot"};
  const auto body = [&](std::size_t at, const std::string& other) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) text += (i == 0 ? "" : " ") + (i == at ? other : words[i]);
    return text;
  };
  CHECK(believed(body(words.size(), "")));
  CHECK_FALSE(believed(body(0, "2")));
  for (std::size_t at = 1; at + 1 < words.size(); ++at) {
    CAPTURE(at);
    CHECK_FALSE(believed(body(at, "x")));
    CHECK_FALSE(believed(body(at, "7x")));
  }
}

TEST_CASE("budget: times of a note that cannot be are not taken for times of this boot") {
  Device device = daily();
  const milliseconds wall = device.wall.time.time_since_epoch() - 1min;
  // A look in the future of this boot, and one before it.
  for (const char* boot : {"99999999999999999", "-5"}) {
    const std::string body = fmt::format("1 700 0 0 {} {} {} 0 0 boot",
                                         std::chrono::floor<days>(wall).count(), wall.count(), boot);
    REQUIRE(device.budget.restore(summed(body), device.boot, device.now));
    CHECK(device.used() == 700);
  }
}

TEST_CASE("budget: a note of a device that has never looked, and one of a clock that nobody trusts") {
  Device device = daily();
  device.wall.trusted = false;
  Budget fresh{kDaily};
  CHECK(fresh.restore(Budget{kDaily}.note(device.boot), device.boot, device.now));
  CHECK(fresh.used(device.now, device.wall) == 0);
  // Over two reboots nobody looks at the clock: what was known of the first boot is still known.
  Device twice = daily();
  twice.take(700);
  for (int times = 0; times < 2; ++times) {
    const std::string note = twice.budget.note(twice.boot);
    twice.boot += "'";
    REQUIRE(twice.budget.restore(note, twice.boot, BootTime{10s}));
  }
  twice.now = BootTime{10s};
  CHECK(twice.used() == 700);
}

TEST_CASE("budget: a clock beyond every calendar counts as none, even when it is trusted") {
  for (const int year : {0, 10'000}) {
    Device device = daily();
    device.wall.time = std::chrono::sys_days{std::chrono::year{year} / 6 / 1};
    device.exhaust();
    CHECK(device.wait() == days{1});
    CHECK(device.used() == 0);
  }
}
