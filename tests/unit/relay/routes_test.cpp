// SPDX-License-Identifier: MIT
#include "relay/routing.hpp"
#include "routes_bench.hpp"

#include <stdexcept>

using namespace satchel;
using namespace satchel::relay;

namespace {

std::vector<RouteOptions> alarms_and_rest() { return {route_of("alarms", {"alarm/#"}), route_of("rest")}; }

/// Cannot begin until it is let.
class ReluctantSink final : public ScriptedSink {
 public:
  void start(SinkEvents& events) override {
    if (!willing) throw std::runtime_error{"no thread to be had"};
    ScriptedSink::start(events);
  }

  bool willing = false;
};

}  // namespace

TEST_CASE("routing: the first filter that matches decides, and the filter # takes what begins with $, too") {
  const Routing routing{{{"a/+", "b"}, {"a/#", "$x"}, {"#"}}};
  CHECK(routing.of("a/1") == 0);
  CHECK(routing.of("b") == 0);
  CHECK(routing.of("a/1/2") == 1);
  CHECK(routing.of("$x") == 1);
  CHECK(routing.of("$y/z") == 2);
  CHECK(routing.of("c") == 2);
  CHECK(routing.of("") == 0);
  CHECK(routing.taken_by(1)("a/1/2"));
  CHECK_FALSE(routing.taken_by(1)("a/1"));
  const Routing none{{{"a"}, {"b"}}};
  CHECK_FALSE(none.of("c"));
  const Routing all{{{"x", "#"}, {"#"}}};
  CHECK_FALSE(all.taken_by(0));
  CHECK_FALSE(all.taken_by(1)("anything"));
}

TEST_CASE("routes: each message takes one route, in order; what none takes stays") {
  RoutesBench bench{{route_of("one", {"a/#"}), route_of("two", {"a/b", "b"})}};
  Rows one;
  Rows two;
  for (int i = 0; i < 300; ++i) {
    one.push_back(bench.put("a/b"));
    two.push_back(bench.put("b", "key" + std::to_string(i % 3)));
    bench.put("c");
  }
  bench.run_for(1s);
  CHECK(bench.sent(0) == one);
  Rows sent = bench.sent(1);
  std::sort(sent.begin(), sent.end());
  CHECK(sent == two);
  CHECK(bench.storage->pending() == 300);
  CHECK(bench.status(0).delivered == 300);
  CHECK(bench.status(1).delivered == 300);
  CHECK(bench.relay->snapshot().delivered == 600);
}

TEST_CASE("routes: a sink that cannot start is down and tried again, and the other route goes on") {
  RoutesBench bench{alarms_and_rest()};
  auto made = std::make_unique<ReluctantSink>();
  made->answer(always(delivered()));
  ReluctantSink& reluctant = *made;
  bench.sinks[0] = std::move(made);
  bench.join();
  const std::int64_t alarm = bench.put("alarm/x");
  const std::int64_t value = bench.put("value");
  bench.run_for(1s);
  CHECK(bench.sent(1) == Rows{value});
  CHECK(bench.status(1).delivered == 1);
  CHECK(bench.status(0).sink == SinkState::down);
  CHECK(bench.status(0).sink_problem == "no thread to be had");
  CHECK(bench.witness.count("sink down: no thread to be had") >= 1);
  // The pauses between two tries grow, as with every probe.
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.witness.count("sink down: no thread to be had") <= 100);
  reluctant.willing = true;
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.sent(0) == Rows{alarm});
  CHECK(bench.status(0).sink == SinkState::up);
  CHECK(bench.status(0).sink_problem.empty());
  CHECK(bench.status(0).sink_name == "scripted");
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("routes: one that is down with 30,000 rows costs the other no read after its first pass") {
  RoutesBench bench{alarms_and_rest()};
  bench.sinks[0]->refuse(down("away"));
  for (int i = 0; i < 30'000; ++i) bench.put("alarm/" + std::to_string(i % 10), i % 2 == 0 ? "k" : "");
  bench.put("value");
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 30'000);
  CHECK(bench.status(1).delivered == 1);
  CHECK(bench.status(1).sink == SinkState::up);
  CHECK(bench.relay->snapshot().sink == SinkState::down);
  // The first pass: bounded reads, none of which brought more than was asked for.
  const std::uint64_t first_pass = bench.storage->reads();
  CHECK(first_pass <= 200);
  bench.run_for(std::chrono::hours{24});
  CHECK(bench.storage->reads() == first_pass);
  for (int i = 0; i < 100; ++i) {
    bench.put("value");
    bench.run_for(1s);
  }
  CHECK(bench.status(1).delivered == 101);
  // One look for each change, and nothing of the others is read.
  CHECK(bench.storage->reads() <= first_pass + 210);
  CHECK(bench.storage->rows_read() <= 110);
  const Snapshot now = bench.relay->snapshot();
  CHECK(now.read_ahead + now.keys + now.retrying == 0);
  bench.sinks[0]->refuse(std::nullopt);
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE(
    "routes: a key keeps its order on each route, and a route that is down holds no key back on another") {
  RoutesBench bench{alarms_and_rest()};
  bench.sinks[0]->refuse(down("away"));
  Rows values;
  for (int i = 0; i < 5000; ++i) {
    bench.put("alarm/x", "pump");
    values.push_back(bench.put("value", "pump"));
  }
  bench.run_for(10s);
  CHECK(bench.sent(1) == values);
  CHECK(bench.storage->pending() == 5000);
}

TEST_CASE("routes: each has its own window, and nothing is sent beyond the outcomes that may wait together") {
  RouteOptions narrow = route_of("narrow", {"n"});
  narrow.window = 3;
  Options options;
  options.max_unsettled = 5;
  RoutesBench bench{{narrow, route_of("wide")}, options};
  bench.sinks[0]->answer({});
  bench.sinks[1]->answer({});
  for (int i = 0; i < 200; ++i) bench.put(i % 2 == 0 ? "n" : "w");
  bench.run();
  CHECK(bench.under_way(0).size() == 3);
  CHECK(bench.under_way(1).size() == 100);
  CHECK(bench.medium->in_flight.size() == 103);
  bench.storage->occupy(true);
  bench.sinks[1]->reply_all(delivered());
  bench.run();
  CHECK(bench.under_way(1).empty());
  CHECK(bench.sinks[0]->reply_all(delivered()) == 3);
  bench.run();
  CHECK(bench.under_way(0).empty());
  bench.storage->occupy(false);
  bench.sinks[0]->answer(always(delivered()));
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("routes: a message that may end the process is sent when nothing else is in flight on any route") {
  RoutesBench bench{alarms_and_rest()};
  bench.sinks[0]->answer({});
  bench.sinks[1]->answer({});
  const std::int64_t alarm = bench.put("alarm/x");
  bench.put("value");
  bench.run();
  CHECK(bench.medium->in_flight.size() == 2);
  bench.crash();
  bench.sinks[0]->answer({});
  bench.sinks[1]->answer({});
  bench.put("value");
  bench.run();
  // The innocent goes at once; after a while the suspects, one by one.
  CHECK(bench.under_way(0).empty());
  CHECK(bench.under_way(1).size() == 1);
  bench.run_for(5s);
  CHECK(bench.under_way(0).empty());
  bench.sinks[1]->reply_all(delivered());
  bench.run_for(1s);
  CHECK(bench.under_way(0) == Rows{alarm});
  CHECK(bench.under_way(1).empty());
  CHECK(bench.medium->alone == alarm);
  bench.put("value");
  bench.run_for(1s);
  CHECK(bench.under_way(1).empty());
  bench.sinks[0]->reply_all(delivered());
  bench.run_for(1s);
  CHECK(bench.under_way(1).size() == 1);
  bench.sinks[1]->answer(always(delivered()));
  bench.sinks[1]->reply_all(delivered());
  bench.run_for(5s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("routes: a suspect that somebody has deleted does not keep the other routes waiting") {
  // Whichever route has its turn first.
  for (const bool one_round_more : {false, true}) {
    CAPTURE(one_round_more);
    RoutesBench bench{alarms_and_rest()};
    bench.sinks[0]->answer({});
    const std::int64_t alarm = bench.put("alarm/x");
    bench.run();
    REQUIRE(bench.under_way(0) == Rows{alarm});
    bench.crash();
    bench.run();
    if (one_round_more) bench.relay->step();
    REQUIRE(bench.storage->erase(alarm));
    // When it is its turn it is gone.
    bench.clock.advance(1s);
    const std::int64_t value = bench.put("value");
    bench.run();
    CHECK(bench.sent(1) == Rows{value});
  }
}

TEST_CASE("routes: rows that a transaction is about to drop are not sent, and looked at later") {
  RoutesBench bench{{route_of("all")}};
  for (int i = 0; i < 4; ++i) bench.put("t", i < 2 ? "k" : "");
  bench.medium->condemned = {1, 3};
  bench.run();
  CHECK(bench.sent(0) == Rows{4});
  CHECK(bench.storage->pending() == 3);
  // One is dropped, the other transaction is rolled back.
  bench.storage->erase(3);
  bench.medium->condemned.clear();
  bench.run_for(100ms);
  CHECK(bench.sent(0) == Rows{1, 2});
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("routes: a paused route waits for what is in flight, then disconnects and is not probed") {
  RoutesBench bench{alarms_and_rest()};
  bench.sinks[0]->answer({});
  const std::int64_t first = bench.put("alarm/x");
  bench.run();
  const int resumes = bench.sinks[0]->resumes();
  bench.relay->pause(0, true);
  CHECK(bench.wakes > 0);
  bench.put("alarm/x");
  bench.put("value");
  bench.run_for(50ms);
  CHECK(bench.under_way(0) == Rows{first});
  CHECK(bench.sinks[0]->resets() == 0);
  CHECK(bench.status(1).delivered == 1);
  bench.sinks[0]->reply_all(delivered());
  bench.run();
  CHECK(bench.sinks[0]->resets() == 1);
  CHECK_FALSE(bench.sinks[0]->is_up());
  bench.run_for(std::chrono::hours{100});
  CHECK(bench.sinks[0]->resumes() == resumes);
  CHECK(bench.status(0).paused);
  CHECK(bench.storage->pending() == 1);
  bench.sinks[0]->answer(always(delivered()));
  bench.relay->pause(0, false);
  bench.run_for(1s);
  CHECK(bench.sinks[0]->resumes() == resumes + 1);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("routes: one that is paused from the start never touches its sink") {
  RouteOptions route = route_of("all");
  route.paused = true;
  RoutesBench bench{{route}};
  bench.put("t");
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.sinks[0]->resumes() == 0);
  CHECK(bench.storage->reads() == 0);
  bench.relay->pause(0, false);
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("routes: a window of bytes is a route's own, and a route that is not there cannot be paused") {
  RouteOptions narrow = route_of("narrow");
  narrow.window_bytes = 10;
  RoutesBench bench{{narrow}};
  bench.sinks[0]->answer({});
  for (int i = 0; i < 20; ++i) bench.put("t");
  bench.relay->pause(1, true);
  bench.run();
  // Two bytes each: topic and payload.
  CHECK(bench.under_way(0).size() == 5);
  CHECK_FALSE(bench.status(0).paused);
}

TEST_CASE("routes: a suspect that no route takes any more waits, and the others go on") {
  RoutesBench bench{{route_of("old", {"t"}), route_of("new", {"u"})}};
  for (const auto& sink : bench.sinks) sink->answer({});
  bench.put("t");
  bench.run();
  REQUIRE(bench.under_way(0).size() == 1);
  bench.routes.erase(bench.routes.begin());
  bench.crash();
  const std::int64_t other = bench.put("u");
  bench.run_for(5s);
  CHECK(bench.sent(0) == Rows{other});
  CHECK(bench.storage->pending() == 1);
}

TEST_CASE("routes: a batch of which a transaction drops everything is not sent, and looked at later") {
  RoutesBench bench{{route_of("all")}};
  for (int i = 0; i < 2; ++i) bench.put("t");
  bench.medium->condemned = {1, 2};
  bench.run();
  CHECK(bench.sent(0).empty());
  bench.medium->condemned.clear();
  bench.run_for(100ms);
  CHECK(bench.sent(0) == Rows{1, 2});
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("routes: more keys than are remembered come through in the order of each, whatever goes first") {
  for (const Drain drain : {Drain::oldest_first, Drain::newest_first, Drain::interleaved}) {
    CAPTURE(static_cast<int>(drain));
    Options options;
    options.window = 1;
    options.batch_size = 100;
    RouteOptions route = route_of("all");
    route.drain = drain;
    RoutesBench bench{{route}, options};
    constexpr std::int64_t kKeys = 300;
    for (int round = 0; round < 2; ++round) {
      for (std::int64_t key = 0; key < kKeys; ++key) bench.put("t", "k" + std::to_string(key));
    }
    bench.run_for(1min);
    CHECK(bench.storage->pending() == 0);
    std::vector<bool> first(kKeys, false);
    for (const std::int64_t row : bench.sent(0)) {
      const auto key = static_cast<std::size_t>((row - 1) % kKeys);
      CHECK(first[key] == (row > kKeys));
      first[key] = true;
    }
  }
}
