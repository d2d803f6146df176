// SPDX-License-Identifier: MIT
//
// What those who look from outside see of a relay: why messages wait, and whether it works.
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/inspect.hpp>
#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <string>

using satchel::HeldBy;
using satchel::Inspector;
using satchel::Outbox;
using satchel::RelayReport;
using satchel::RouteOptions;
using satchel::SinkState;
using satchel::testing::ManualClock;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::Echo;
using support::EchoSink;

namespace {

/// A device whose clock is moved by the test, in the boot that the inspector is in.
struct Bench {
  explicit Bench(seconds behind = seconds{0}) {
    clock->reboot(satchel::system_clock()->boot_id(), satchel::system_clock()->now() - behind);
  }

  satchel::Options options() const {
    satchel::Options made;
    made.clock = clock;
    return made;
  }
  std::string path() const { return directory.path() + "/device.db"; }
  RelayReport look() const { return Inspector{path()}.report().relay; }
  std::string relay_file() const {
    std::ifstream file{path() + "-relay", std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  support::TempDir directory;
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
};

std::unique_ptr<EchoSink> echo() { return std::make_unique<EchoSink>(std::make_shared<Echo>()); }

/// Rounds until there is nothing to do.
void settle(Outbox& outbox) {
  for (int rounds = 0; rounds < 1000 && outbox.run_once(); ++rounds) continue;
}

}  // namespace

TEST_CASE("seen from outside: routes that share a sink are told apart, with what each has done") {
  const Bench bench;
  satchel::Options options = bench.options();
  options.quota.messages = 10;
  SUBCASE("by the span of ids") {}
  SUBCASE("exactly") { options.quota.exact = true; }
  Outbox outbox{bench.path(), options};
  for (int number = 0; number < 12; ++number) {
    RouteOptions route;
    route.topics = {"plant/" + std::to_string(number)};
    outbox.attach(echo(), route);
  }
  outbox.enqueue({.topic = "plant/0", .payload = "1234"});
  outbox.enqueue({.topic = "plant/11", .payload = "1234"});
  outbox.enqueue({.topic = "nobody", .payload = "1234"});
  settle(outbox);
  bench.clock->advance(seconds{1});
  settle(outbox);
  const RelayReport relay = bench.look();
  CHECK(relay.alive);
  REQUIRE(relay.told);
  REQUIRE(relay.routes.size() == 12);
  CHECK(relay.routes[0].status.name == "route-1");
  CHECK(relay.routes[0].status.sink_name == "echo");
  CHECK(relay.routes[0].status.sink == SinkState::up);
  CHECK(relay.routes[0].status.delivered == 1);
  CHECK(relay.routes[1].status.delivered == 0);
  CHECK(relay.routes[11].status.delivered == 1);
  CHECK(relay.routes[11].pending_known);
  CHECK(relay.routes[11].status.pending == 0);
  CHECK(relay.unrouted == 1);
  CHECK(relay.delivered == 2);
  CHECK(relay.delivered_bytes > 0);
  CHECK(relay.messages_per_second == doctest::Approx(0.2));
  CHECK(relay.wear.bytes > 0);
  REQUIRE(relay.quota_left.messages);
  CHECK(*relay.quota_left.messages == 9);
  CHECK_FALSE(relay.quota_left.bytes);
}

TEST_CASE(
    "seen from outside: a route that is paused says so, with what waits for it, and so does one at work") {
  const Bench bench;
  Outbox outbox{bench.path(), bench.options()};
  outbox.attach(echo(), {.name = "bulk", .topics = {"log/#"}, .paused = true});
  outbox.attach(echo(), {.name = "rest"});
  outbox.enqueue({.topic = "log/a"});
  settle(outbox);
  RelayReport relay = bench.look();
  REQUIRE(relay.routes.size() == 2);
  CHECK(relay.routes[0].status.paused);
  CHECK(relay.routes[0].status.pending == 1);
  CHECK_FALSE(relay.routes[1].status.paused);
  outbox.resume("bulk");
  bench.clock->advance(seconds{1});
  settle(outbox);
  bench.clock->advance(seconds{1});
  settle(outbox);
  relay = bench.look();
  CHECK_FALSE(relay.routes[0].status.paused);
  CHECK(relay.routes[0].status.pending == 0);
  CHECK(relay.routes[0].status.delivered == 1);
}

TEST_CASE("seen from outside: quiet hours, a budget and a rate are told apart, with how long they hold") {
  const Bench bench;
  bench.clock->set_wall(satchel::WallTime{std::chrono::hours{24 * 20'000 + 23}}, true);
  Outbox outbox{bench.path(), bench.options()};
  const auto topics = [](const char* topic) { return std::vector<std::string>{topic}; };
  outbox.attach(echo(),
                {.topics = topics("quiet"), .quiet = {{std::chrono::hours{22}, std::chrono::hours{5}}}});
  outbox.attach(echo(), {.topics = topics("budget"), .budget = {.bytes = 100}});
  outbox.attach(echo(), {.topics = topics("rate"), .messages_per_second = 0.01});
  outbox.attach(echo());
  for (const char* topic : {"quiet", "budget", "rate", "free"}) {
    for (int number = 0; number < 2; ++number)
      outbox.enqueue({.topic = topic, .payload = std::string(80, 'x')});
  }
  settle(outbox);
  bench.clock->advance(seconds{1});
  settle(outbox);
  const RelayReport relay = bench.look();
  REQUIRE(relay.routes.size() == 4);
  CHECK(relay.routes[0].status.held_by == HeldBy::quiet);
  CHECK(relay.routes[0].status.held_back);
  REQUIRE(relay.routes[0].held_for);
  CHECK(*relay.routes[0].held_for > std::chrono::minutes{30});
  CHECK(relay.routes[1].status.held_by == HeldBy::budget);
  CHECK(relay.routes[1].status.budget_used == 86);
  CHECK(relay.routes[1].status.pending == 1);
  CHECK(relay.routes[2].status.held_by == HeldBy::rate);
  CHECK_FALSE(relay.routes[2].status.held_back);
  CHECK(relay.routes[3].status.held_by == HeldBy::nothing);
  CHECK_FALSE(relay.routes[3].held_for);
}

TEST_CASE("seen from outside: what is counted is noted once a second at most, and nothing by an idle relay") {
  const Bench bench;
  Outbox outbox{bench.path(), bench.options()};
  outbox.attach(echo());
  outbox.enqueue({.topic = "plant/x"});
  settle(outbox);
  bench.clock->advance(seconds{1});
  settle(outbox);
  CHECK(bench.look().delivered == 1);
  for (int number = 0; number < 9; ++number) {
    outbox.enqueue({.topic = "plant/x"});
    bench.clock->advance(milliseconds{100});
    settle(outbox);
    CHECK(bench.look().delivered == 1);
  }
  bench.clock->advance(milliseconds{100});
  settle(outbox);
  CHECK(bench.look().delivered == 10);
  const std::string noted = bench.relay_file();
  for (int number = 0; number < 100; ++number) {
    bench.clock->advance(seconds{10});
    settle(outbox);
  }
  CHECK(bench.relay_file() == noted);
}

TEST_CASE("seen from outside: the last counts are noted when the relay is stopped") {
  const Bench bench;
  Outbox outbox{bench.path(), bench.options()};
  outbox.attach(echo());
  for (int number = 0; number < 5; ++number) {
    outbox.enqueue({.topic = "plant/x"});
    settle(outbox);
  }
  CHECK(outbox.stop(milliseconds{5000}));
  const RelayReport relay = bench.look();
  CHECK_FALSE(relay.alive);
  CHECK_FALSE(relay.heartbeat);
  CHECK(relay.delivered == 5);
}

TEST_CASE("seen from outside: a relay whose thread hangs is told from one that waits") {
  const Bench bench{seconds{90}};
  std::promise<void> entered;
  std::promise<void> release;
  Outbox outbox{bench.path(), bench.options()};
  outbox.attach(std::make_unique<EchoSink>(std::make_shared<Echo>(), [&](const satchel::Delivery&) {
    entered.set_value();
    release.get_future().wait();
    return satchel::delivered();
  }));
  settle(outbox);
  RelayReport relay = bench.look();
  REQUIRE(relay.heartbeat);
  CHECK(*relay.heartbeat >= seconds{90});
  CHECK(relay.round_overdue == milliseconds{0});
  outbox.enqueue({.topic = "plant/x"});
  auto round = std::async(std::launch::async, [&] { settle(outbox); });
  entered.get_future().wait();
  relay = bench.look();
  CHECK(relay.alive);
  CHECK(relay.round_overdue >= seconds{90});
  release.set_value();
  round.wait();
  CHECK(bench.look().round_overdue == milliseconds{0});
}

TEST_CASE("seen from outside: a relay that stands by is seen beside the leader, until it ends") {
  const Bench bench;
  Outbox leader{bench.path(), bench.options()};
  leader.attach(echo());
  settle(leader);
  CHECK_FALSE(bench.look().standby);
  {
    Outbox second{bench.path(), bench.options()};
    second.attach(echo());
    settle(second);
    CHECK(bench.look().standby);
    CHECK(bench.look().alive);
  }
  CHECK_FALSE(bench.look().standby);
}
