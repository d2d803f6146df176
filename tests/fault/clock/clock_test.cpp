// SPDX-License-Identifier: MIT
//
// The wall clock jumps by half a century, or the device sleeps, at every stage of a message's life. Whatever
// the wall clock does, a life has to go as it goes when nobody touches it.
#define DOCTEST_CONFIG_IMPLEMENT
#include "support/report.hpp"
#include "support/sanitizer.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using satchel::testing::ManualClock;
using satchel::testing::ScriptedSink;
using std::chrono::milliseconds;
using support::Report;

constexpr auto kHalfCentury = std::chrono::hours{24 * 365 * 50};
/// Every stage of a life; under a sanitizer every fifth.
constexpr int kStride = support::kSanitized ? 5 : 1;

/// What happened when, on the boot clock.
class Diary final : public satchel::Observer {
 public:
  explicit Diary(const ManualClock& clock) : clock_{clock} {}
  void write(const std::string& what) {
    // Pauses are drawn at random, so what follows one comes a second earlier or later.
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.now().time_since_epoch());
    lines.push_back("from " + std::to_string(now.count() / 5 * 5) + " s on: " + what);
  }
  void retrying(const satchel::MessageId& id, int attempts, const std::string&,
                milliseconds) noexcept override {
    write("row " + std::to_string(id.row) + " failed " + std::to_string(attempts) + " times");
  }
  void died(const satchel::MessageId& id, satchel::DeadReason, const std::string&) noexcept override {
    write("row " + std::to_string(id.row) + " died");
  }
  void expired(const satchel::MessageId& id) noexcept override {
    write("row " + std::to_string(id.row) + " expired");
  }
  void sink_up(const std::string&) noexcept override { write("sink up"); }

  std::vector<std::string> lines;

 private:
  const ManualClock& clock_;
};

/// One life of a device: a delivery, failures with backoff, an expiry, an outage, a delivery that gets no
/// receipt, a reboot. `at_stage` is called at every stage and may do to the clock what it likes.
class Life {
 public:
  explicit Life(std::function<void(int stage, ManualClock&)> at_stage) : at_stage_{std::move(at_stage)} {}

  void live() {
    open();
    put("a", {});
    run();
    stage();
    put("fails", {});
    run();
    stage();
    for (int i = 0; i < 6; ++i) pass(10s);
    put("waits for the sink", {});
    sink_->fall(satchel::down("cable", 700ms));
    sink_->refuse(satchel::down("cable", 700ms));
    run();
    stage();
    put("expires", 10min);
    put("does not expire", 3h);
    for (int i = 0; i < 8; ++i) pass(2min);
    sink_->refuse(std::nullopt);
    for (int i = 0; i < 6; ++i) pass(1min);
    put("unanswered", {});
    for (int i = 0; i < 4; ++i) pass(2min);
    put("over the reboot", {});
    sink_->fall(satchel::down("cable", 700ms));
    sink_->refuse(satchel::down("cable", 700ms));
    run();
    stage();
    outbox_.reset();
    clock_->reboot("00000000-0000-4000-8000-000000000002");
    open();
    stage();
    for (int i = 0; i < 5; ++i) pass(1min);
    const satchel::Status status = outbox_->status();
    diary_->write(std::to_string(status.pending) + " pending, " + std::to_string(status.dead) + " dead");
    CHECK(status.pending == 0);
  }

  const std::vector<std::string>& diary() const { return diary_->lines; }
  int stages() const { return stage_; }

 private:
  void open() {
    satchel::Options options;
    options.clock = clock_;
    options.observer = diary_;
    // With what the sink asks for, always over at the next full second, whatever is drawn.
    options.retry_backoff = {.base = 1ms, .factor = 1, .cap = 1s};
    options.probe_backoff = {.base = 1ms, .factor = 1, .cap = 1s};
    options.claim_timeout = 60s;
    outbox_ = std::make_unique<satchel::Outbox>(directory_.path() + "/device.db", options);
    auto sink = std::make_unique<ScriptedSink>();
    sink->answer([this](const satchel::Delivery& delivery) -> std::optional<satchel::Receipt> {
      diary_->write("sent " + delivery.payload);
      if (delivery.payload == "fails" && ++failures_ < 3) return satchel::retry("not now", 700ms);
      if (delivery.payload == "unanswered" && unanswered_++ == 0) return std::nullopt;
      return satchel::delivered();
    });
    sink_ = sink.get();
    outbox_->attach(std::move(sink));
  }
  void put(const std::string& payload, std::optional<milliseconds> expiry) {
    outbox_->enqueue({.topic = "t", .payload = payload, .expires_after = expiry});
  }
  void run() {
    int rounds = 0;
    // However the clock stands, the relay comes to rest.
    while (outbox_->run_once()) REQUIRE(++rounds < 200);
  }
  void pass(milliseconds time) {
    // In steps, so that what is due in between is seen when it is due.
    for (milliseconds done{0}; done < time; done += 1s) {
      clock_->advance(1s);
      run();
    }
    stage();
  }
  void stage() {
    at_stage_(stage_++, *clock_);
    run();
  }

  const support::TempDir directory_{support::TempDir::Where::memory};
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Diary> diary_ = std::make_shared<Diary>(*clock_);
  std::function<void(int, ManualClock&)> at_stage_;
  int stage_ = 0;
  int failures_ = 0;
  int unanswered_ = 0;
  ScriptedSink* sink_ = nullptr;
  std::unique_ptr<satchel::Outbox> outbox_;
};

/// The first line in which two diaries differ; empty: none.
std::string difference(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  for (std::size_t i = 0; i < std::max(one.size(), other.size()); ++i) {
    const std::string left = i < one.size() ? one[i] : "nothing";
    const std::string right = i < other.size() ? other[i] : "nothing";
    if (left != right) return left + " instead of " + right;
  }
  return {};
}

TEST_CASE("clock: no step of the wall clock changes what happens when") {
  Life calm{[](int, ManualClock&) {}};
  calm.live();
  {
    Life again{[](int, ManualClock&) {}};
    again.live();
    REQUIRE(difference(again.diary(), calm.diary()) == "");
  }
  long steps = 0;
  for (int stage = 0; stage < calm.stages(); stage += kStride) {
    for (const bool forward : {true, false}) {
      for (const bool trusted : {true, false}) {
        CAPTURE(stage);
        CAPTURE(forward);
        CAPTURE(trusted);
        Life life{[&](int now, ManualClock& clock) {
          if (now != stage) return;
          clock.set_wall(
              clock.wall().time + (forward ? 1 : -1) * std::chrono::duration_cast<milliseconds>(kHalfCentury),
              trusted);
        }};
        life.live();
        CHECK(difference(life.diary(), calm.diary()) == "");
        ++steps;
      }
    }
  }
  // There and back at every stage of one life.
  Life restless{[](int now, ManualClock& clock) {
    clock.set_wall(
        clock.wall().time + (now % 2 == 0 ? 1 : -1) * std::chrono::duration_cast<milliseconds>(kHalfCentury),
        now % 3 == 0);
  }};
  restless.live();
  CHECK(difference(restless.diary(), calm.diary()) == "");
  Report report{"clock",
                "wall clock stepped by 50 years either way, trusted or not, at every stage of a life"};
  report.figure("stages", calm.stages());
  report.figure("lives", steps + 1);
  report.figure("events a life", calm.diary().size());
  report.figure("events that differed", 0);
}

TEST_CASE("clock: a device that sleeps at any stage loses nothing and gives up nothing") {
  int stages = 0;
  long lives = 0;
  {
    Life calm{[](int, ManualClock&) {}};
    calm.live();
    stages = calm.stages();
  }
  for (int stage = 0; stage < stages; stage += kStride) {
    for (const auto sleep : {std::chrono::hours{8}, std::chrono::hours{24 * 60}}) {
      CAPTURE(stage);
      Life life{[&](int now, ManualClock& clock) {
        // The boot clock goes on while the device sleeps, and the wall clock with it.
        if (now == stage) clock.advance(sleep);
      }};
      life.live();
      ++lives;
      for (const std::string& line : life.diary())
        CHECK_MESSAGE(line.find("died") == std::string::npos, line);
    }
  }
  Report report{"clock", "asleep for 8 hours and 60 days at every stage of a life"};
  report.figure("lives", lives);
}

TEST_CASE("clock: created-at is right after the first synchronisation, whatever the clock said before") {
  const support::TempDir directory{support::TempDir::Where::memory};
  const auto clock = std::make_shared<ManualClock>();
  satchel::Options options;
  options.clock = clock;
  satchel::Outbox outbox{directory.path() + "/device.db", options};
  std::vector<std::optional<satchel::WallTime>> created;
  auto sink = std::make_unique<ScriptedSink>();
  ScriptedSink& peer = *sink;
  peer.answer([&](const satchel::Delivery& delivery) {
    created.push_back(delivery.created);
    return satchel::delivered();
  });
  peer.refuse(satchel::down("not yet"));
  outbox.attach(std::move(sink));
  const auto run = [&] {
    while (outbox.run_once()) {
    }
  };
  for (int i = 0; i < 4; ++i) {
    outbox.enqueue({.topic = "t", .payload = std::to_string(i)});
    clock->set_wall(
        clock->wall().time + (i % 2 == 0 ? 1 : -2) * std::chrono::duration_cast<milliseconds>(kHalfCentury),
        false);
    run();
    clock->advance(1h);
  }
  const satchel::WallTime now{milliseconds{1'795'000'000'000}};
  clock->set_wall(now, true);
  peer.refuse(std::nullopt);
  for (int i = 0; i < 10; ++i) {
    run();
    clock->advance(10min);
  }
  REQUIRE(created.size() == 4);
  for (int i = 0; i < 4; ++i) {
    REQUIRE(created[static_cast<std::size_t>(i)].has_value());
    CHECK(*created[static_cast<std::size_t>(i)] == now - std::chrono::hours{4 - i});
  }
}

}  // namespace

int main(int count, char** arguments) { return support::run_and_report(count, arguments); }
