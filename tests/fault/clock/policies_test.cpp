// SPDX-License-Identifier: MIT
//
// The policies that go by a clock, while the wall clock jumps: delays, quiet hours, data budgets. And what is
// known of created-at over a reboot.
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using satchel::testing::ManualClock;
using satchel::testing::ScriptedSink;
using std::chrono::milliseconds;
using support::Report;

constexpr milliseconds kHalfCentury = std::chrono::hours{24 * 365 * 50};
constexpr satchel::WallTime kNoon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 12h};

/// A device whose deliveries are written down with the time since it was made.
class Device {
 public:
  explicit Device(satchel::RouteOptions route = {}, bool trusted = true) : route_{std::move(route)} {
    clock_->set_wall(kNoon, trusted);
    open();
  }

  void put(const std::string& payload, std::optional<milliseconds> not_before = std::nullopt,
           std::optional<milliseconds> expires_after = std::nullopt) {
    outbox_->enqueue(
        {.topic = "t", .payload = payload, .expires_after = expires_after, .not_before = not_before});
  }
  void run() {
    int rounds = 0;
    // However the clock stands, the relay comes to rest.
    while (outbox_->run_once()) REQUIRE(++rounds < 200);
  }
  void pass(milliseconds time, milliseconds step = 1s) {
    for (milliseconds done{0}; done < time; done += step) {
      clock_->advance(step);
      since_ += step;
      run();
    }
  }
  void step(milliseconds by, bool trusted) { clock_->set_wall(clock_->wall().time + by, trusted); }
  void reboot(milliseconds off, bool trusted) {
    outbox_.reset();
    clock_->reboot("00000000-0000-4000-8000-000000000002");
    clock_->set_wall(clock_->wall().time + off, trusted);
    open();
  }
  /// Of the program alone.
  void restart() {
    outbox_.reset();
    open();
  }
  ManualClock& clock() { return *clock_; }
  std::uint64_t pending() const { return outbox_->status().pending; }
  satchel::DroppedByReason dropped() const { return outbox_->status().dropped; }

  struct Sent {
    std::string payload;
    milliseconds when{};
    std::optional<satchel::WallTime> created;
  };
  std::vector<Sent> sent;

 private:
  void open() {
    satchel::Options options;
    options.clock = clock_;
    outbox_ = std::make_unique<satchel::Outbox>(directory_.path() + "/device.db", options);
    auto sink = std::make_unique<ScriptedSink>();
    sink->answer([this](const satchel::Delivery& delivery) {
      sent.push_back({delivery.payload, since_, delivery.created});
      return satchel::delivered();
    });
    outbox_->attach(std::move(sink), route_);
  }

  const support::TempDir directory_{support::TempDir::Where::memory};
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  const satchel::RouteOptions route_;
  milliseconds since_{0};
  std::unique_ptr<satchel::Outbox> outbox_;
};

/// A step of the wall clock.
struct Step {
  milliseconds by;
  bool trusted;
};

std::vector<Step> steps() {
  return {{kHalfCentury, true}, {-kHalfCentury, true}, {kHalfCentury, false}, {-kHalfCentury, false}};
}

TEST_CASE("clock: a delayed message is sent when it is due, whatever the wall clock does meanwhile") {
  long lives = 0;
  for (const Step& step : steps()) {
    for (int stage = 0; stage < 10; ++stage) {
      CAPTURE(stage);
      CAPTURE(step.by.count());
      CAPTURE(step.trusted);
      Device device;
      device.run();
      device.put("delayed", 10min);
      for (int minute = 0; minute < 20; ++minute) {
        if (minute == stage) device.step(step.by, step.trusted);
        device.pass(1min);
      }
      REQUIRE(device.sent.size() == 1);
      CHECK(device.sent[0].when >= 10min);
      CHECK(device.sent[0].when <= 10min + 1s);
      ++lives;
    }
  }
  Report report{"clock", "wall clock stepped by 50 years either way while a message is delayed"};
  report.figure("lives", lives);
  report.figure("sent at another time", 0);
}

TEST_CASE("clock: a delay goes on over a reboot, and time switched off counts when the clock is trusted") {
  for (const bool trusted : {true, false}) {
    CAPTURE(trusted);
    Device device;
    device.run();
    device.put("delayed", 1h);
    device.pass(10min);
    device.reboot(20min, trusted);
    device.run();
    CHECK(device.sent.empty());
    device.pass(3h, 10s);
    REQUIRE(device.sent.size() == 1);
    // Never early: half an hour has passed in all, or ten minutes as far as anybody knows.
    CHECK(device.sent[0].when >= 40min);
    CHECK(device.sent[0].when <= 1h + 11min);
  }
}

/// Ten minutes before a reboot a device gets a message that is delayed, and one that expires besides.
void put_and_reboot(Device& device, const Step& step) {
  device.run();
  device.put("delayed", 30min);
  device.put("expires", 30min, 1h);
  device.pass(10min, 10s);
  device.reboot(step.by, step.trusted);
  device.run();
}

TEST_CASE("clock: a reboot with a wall clock that is 50 years wrong expires nothing and releases nothing") {
  for (const Step& step : steps()) {
    CAPTURE(step.by.count());
    CAPTURE(step.trusted);
    Device device;
    put_and_reboot(device, step);
    device.pass(29min, 10s);
    CHECK(device.sent.empty());
    CHECK(device.pending() == 2);
    // Only the time since the reboot counts.
    device.pass(1min, 10s);
    REQUIRE(device.sent.size() == 2);
    CHECK(device.sent[0].when >= 39min);
    CHECK(device.dropped().expired == 0);
  }
  Report report{"clock", "wall clock wrong by 50 years either way after a reboot"};
  report.figure("lives", static_cast<long>(steps().size()));
  report.figure("sent or expired early", 0);
}

TEST_CASE(
    "clock: a reboot into a time that can be is believed when the clock is trusted, and not otherwise") {
  constexpr milliseconds years = std::chrono::hours{24 * 365 * 5};
  for (const Step& step : {Step{years, true}, Step{years, false}, Step{-years, true}, Step{-years, false}}) {
    CAPTURE(step.by.count());
    CAPTURE(step.trusted);
    const bool believed = step.by > 0ms && step.trusted;
    Device device;
    put_and_reboot(device, step);
    CHECK(device.sent.size() == (believed ? 1 : 0));
    CHECK(device.dropped().expired == (believed ? 1 : 0));
    device.pass(30min, 10s);
    CHECK(device.sent.size() == (believed ? 1 : 2));
    CHECK(device.dropped().expired == (believed ? 1 : 0));
  }
}

TEST_CASE("clock: quiet hours hold nothing up for longer than they last, whatever the wall clock does") {
  satchel::RouteOptions route;
  route.quiet = {{.from = 22h, .to = 6h}};
  long lives = 0;
  for (const Step& step : steps()) {
    for (int stage = 0; stage < 12; ++stage) {
      CAPTURE(stage);
      CAPTURE(step.by.count());
      CAPTURE(step.trusted);
      Device device{route};
      device.clock().set_wall(kNoon + 11h, true);
      device.run();
      device.put("waits");
      for (int hour = 0; hour < 12; ++hour) {
        if (hour == stage) device.step(step.by + 5h, step.trusted);
        device.pass(1h, 60s);
      }
      REQUIRE(device.sent.size() == 1);
      // Seven hours are left of the night; a clock that steps is noticed within an hour.
      CHECK(device.sent[0].when <= 8h);
      CHECK(device.sent[0].when >= (stage == 0 ? 0h : 1h * std::min(stage, 7)));
      ++lives;
    }
  }
  Report report{"clock", "wall clock stepped by 50 years either way during quiet hours"};
  report.figure("lives", lives);
  report.figure("held up for longer than a night", 0);
}

TEST_CASE("clock: a data budget is neither filled nor closed for years by a step of the wall clock") {
  satchel::RouteOptions route;
  route.budget = {.bytes = 100, .period = satchel::DataBudget::Period::day};
  long lives = 0;
  for (const Step& step : steps()) {
    for (const bool over_a_restart : {false, true}) {
      CAPTURE(step.by.count());
      CAPTURE(step.trusted);
      CAPTURE(over_a_restart);
      Device device{route};
      device.run();
      for (int i = 0; i < 3; ++i) device.put(std::string(59, 'x'));
      device.run();
      CHECK(device.sent.size() == 1);
      device.step(step.by, step.trusted);
      device.pass(30min, 60s);
      CHECK(device.sent.size() == 1);
      if (over_a_restart) device.restart();
      device.step(-step.by, true);
      device.pass(30min, 60s);
      CHECK(device.sent.size() == 1);
      device.pass(72h, 600s);
      // One a day, from the second half of the second day at the latest.
      CHECK(device.sent.size() == 3);
      CHECK(device.pending() == 0);
      ++lives;
    }
  }
  Report report{"clock", "wall clock stepped by 50 years either way while a data budget is used up"};
  report.figure("lives", lives);
}

TEST_CASE("clock: created-at is told for boots whose clock was trusted at some time, and for no others") {
  for (const bool first : {true, false}) {
    for (const bool second : {true, false}) {
      CAPTURE(first);
      CAPTURE(second);
      Device device{{}, first};
      device.put("before", 1h);
      device.pass(1min);
      device.reboot(2h, second);
      device.put("after");
      device.pass(2h, 60s);
      REQUIRE(device.sent.size() == 2);
      for (const Device::Sent& sent : device.sent) {
        CAPTURE(sent.payload);
        const bool known = sent.payload == "before" ? first : second;
        REQUIRE(sent.created.has_value() == known);
        const auto expected = sent.payload == "before" ? kNoon : kNoon + 1min + 2h;
        if (known) CHECK(*sent.created == expected);
      }
    }
  }
}

TEST_CASE("clock: the application's own word on the clock counts for created-at") {
  const support::TempDir directory{support::TempDir::Where::memory};
  const auto clock = std::make_shared<ManualClock>();
  satchel::Options options;
  options.clock = clock;
  options.trust_clock = [](satchel::WallTime time) { return time >= kNoon; };
  satchel::Outbox outbox{directory.path() + "/device.db", options};
  std::vector<std::optional<satchel::WallTime>> created;
  auto sink = std::make_unique<ScriptedSink>();
  sink->answer([&](const satchel::Delivery& delivery) {
    created.push_back(delivery.created);
    return satchel::delivered();
  });
  outbox.attach(std::move(sink));
  const auto deliver = [&] {
    outbox.enqueue({.topic = "t"});
    while (outbox.run_once()) {
    }
  };
  // The clock says that it is right, a year too early.
  clock->set_wall(kNoon - std::chrono::hours{24 * 365}, true);
  deliver();
  clock->set_wall(kNoon, false);
  // The relay notes the time beside what it records anyway, so the first one may go without.
  deliver();
  deliver();
  REQUIRE(created.size() == 3);
  CHECK_FALSE(created[0].has_value());
  CHECK(created[2] == kNoon);
}

TEST_CASE("clock: a wall clock that stands still stops nothing") {
  satchel::RouteOptions route;
  route.budget = {.bytes = 100, .period = satchel::DataBudget::Period::day};
  Device device{route};
  device.run();
  device.put("delayed", 10min);
  for (int i = 0; i < 3; ++i) device.put(std::string(59, 'x'));
  for (int hour = 0; hour < 5 * 24; ++hour) {
    device.pass(1h, 600s);
    device.clock().set_wall(kNoon, true);
  }
  CHECK(device.sent.size() == 4);
}

}  // namespace
