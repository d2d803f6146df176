// SPDX-License-Identifier: MIT
#include "bench.hpp"
#include "relay/topics.hpp"

#include <set>

using namespace satchel;
using namespace satchel::relay;

namespace {

Options probing_each_minute() {
  Options options;
  options.blocked_probe = 60s;
  return options;
}

/// Refuses the topics in `forbidden`.
ScriptedSink::Answer forbidding(const std::set<std::string>& forbidden) {
  return [&forbidden](const Delivery& d) {
    return forbidden.count(d.topic) != 0 ? blocked("not authorised") : delivered();
  };
}

/// The topic `first` is refused and tried again, and while that is under way all of the route is refused.
void block_beside_a_try(Bench& bench, const std::string& key) {
  bench.sink->answer(always(blocked("not authorised")));
  bench.put(key, "first");
  bench.run();
  bench.sink->answer([](const Delivery& d) -> std::optional<Receipt> {
    if (d.topic == "first") return std::nullopt;
    return blocked("no rights at all");
  });
  bench.run_for(60s);
  REQUIRE(bench.under_way() == Rows{1});
  bench.put({}, "second");
  bench.run();
  REQUIRE(bench.relay->snapshot().sink == SinkState::blocked);
}

}  // namespace

TEST_CASE("blocked: a topic is held, the others go on, and no attempt is counted") {
  Bench bench{probing_each_minute()};
  std::set<std::string> forbidden{"secret"};
  bench.sink->answer(forbidding(forbidden));
  bench.put({}, "open");
  const Rows held = bench.put_many(3, {}, "secret");
  const Rows others = bench.put_many(50, {}, "open");
  bench.run_for(59s);
  CHECK(bench.storage->pending() == 3);
  CHECK(bench.witness.count("alarm: topic secret: not authorised") == 1);
  CHECK(bench.row(held[0]).attempts == 0);
  CHECK(bench.relay->snapshot().sink == SinkState::up);
  CHECK(bench.relay->snapshot().held_topics == 1);
  CHECK(bench.relay->snapshot().sink_problem == "topic secret: not authorised");

  SUBCASE("it is tried with one message, slowly") {
    bench.sent();
    bench.run_for(2s);
    CHECK(bench.sent() == Rows{held[0]});
    bench.run_for(58s);
    CHECK(bench.sent().empty());
    bench.run_for(3s);
    CHECK(bench.sent() == Rows{held[0]});
    CHECK(bench.witness.count("alarm") == 1);
  }
  SUBCASE("once it is open, all of it goes") {
    forbidden.clear();
    bench.run_for(2s);
    CHECK(bench.storage->pending() == 0);
    CHECK(bench.relay->snapshot().held_topics == 0);
    CHECK(bench.relay->snapshot().sink_problem.empty());
  }
  SUBCASE("somebody resumes it, and it is tried at once") {
    bench.run_for(2s);
    forbidden.clear();
    bench.sent();
    bench.relay->pause(0, false);
    bench.run();
    CHECK(bench.storage->pending() == 0);
    CHECK(bench.sent() == held);
  }
  SUBCASE("its release is told like the end of an outage, once") {
    const auto ups = bench.witness.count("sink up");
    bench.run_for(2s);
    CHECK(bench.witness.count("sink up") == ups);
    forbidden.clear();
    bench.run_for(2min);
    CHECK(bench.witness.count("sink up") == ups + 1);
  }
  SUBCASE("it is released when the message to try with is gone") {
    CHECK(bench.storage->erase(held[0]));
    forbidden.clear();
    bench.run_for(2s);
    CHECK(bench.storage->pending() == 0);
  }
}

TEST_CASE("blocked: a held message holds its key, whatever the topics of the others") {
  Bench bench{probing_each_minute()};
  std::set<std::string> forbidden{"secret"};
  bench.sink->answer(forbidding(forbidden));
  bench.put({}, "open");
  const std::int64_t first = bench.put("k", "secret");
  const std::int64_t second = bench.put("k", "open");
  bench.run_for(30s);
  CHECK(bench.storage->pending() == 2);
  bench.sent();
  forbidden.clear();
  bench.run_for(31s);
  CHECK(bench.sent() == Rows{first, second});
}

TEST_CASE("blocked: when everything is refused the route is blocked as a whole, probed slowly") {
  Bench bench{probing_each_minute()};
  std::set<std::string> forbidden{"a", "b", "c"};
  bench.sink->answer(forbidding(forbidden));
  for (int i = 0; i < 10; ++i) {
    for (const char* topic : {"a", "b", "c"}) bench.put({}, topic);
  }
  bench.run();
  CHECK(bench.relay->snapshot().sink == SinkState::blocked);
  CHECK(bench.relay->snapshot().held_topics == 0);
  bench.sent();
  bench.run_for(59s);
  CHECK(bench.sent().empty());
  bench.run_for(10min);
  CHECK(bench.sent().size() <= 30);
  CHECK(bench.storage->pending() == 30);
  CHECK(bench.row(1).attempts == 0);
  forbidden.clear();
  bench.run_for(2min);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("blocked: the sink itself may say that it is blocked") {
  Bench bench{probing_each_minute()};
  bench.sink->refuse(blocked("bad password"));
  bench.put();
  bench.run_for(59s);
  CHECK(bench.sink->resumes() == 1);
  CHECK(bench.relay->snapshot().sink == SinkState::blocked);
  CHECK(bench.witness.count("alarm: bad password") == 1);
  SUBCASE("it is probed slowly") {
    bench.run_for(8s);
    CHECK(bench.sink->resumes() == 2);
  }
  SUBCASE("and at once when somebody resumes it, also when that was paused in between") {
    bench.sink->refuse(std::nullopt);
    bench.sink->answer(always(delivered()));
    bench.relay->pause(0, true);
    bench.relay->pause(0, false);
    bench.run();
    CHECK(bench.sink->resumes() == 2);
    CHECK(bench.storage->pending() == 0);
  }
}

TEST_CASE(
    "blocked: many keys of a held topic stop the cursor at their limit, and all of them go on afterwards") {
  Options options = probing_each_minute();
  options.window = 2;
  options.batch_size = 5;
  Bench bench{options};
  std::set<std::string> forbidden{"secret"};
  bench.sink->answer(forbidding(forbidden));
  for (int i = 0; i < 500; ++i) bench.put("k" + std::to_string(i), "secret");
  bench.put({}, "open");
  bench.run_for(59s);
  CHECK(bench.relay->snapshot().keys == key_limit(options));
  CHECK(bench.storage->pending() == 501);
  const std::uint64_t reads = bench.storage->reads();
  bench.run_for(59s);
  CHECK(bench.storage->reads() <= reads + 5);
  forbidden.clear();
  bench.run_for(300s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("blocked: the held topics are limited") {
  Bench bench{probing_each_minute()};
  // Something is delivered between any two refusals, so that no two topics in a row block the route.
  bench.sink->answer([](const Delivery& d) { return d.topic == "open" ? delivered() : blocked("no"); });
  for (std::size_t i = 0; i < 3 * Topics::kMost; ++i) {
    bench.put({}, "secret" + std::to_string(i));
    bench.put({}, "open");
    bench.run();
    CHECK(bench.relay->snapshot().held_topics <= Topics::kMost);
    if (bench.relay->snapshot().sink == SinkState::blocked) break;
  }
  CHECK(bench.relay->snapshot().sink == SinkState::blocked);
}

TEST_CASE("blocked: a try that an outage cuts off is made again") {
  Options options = probing_each_minute();
  options.probe_backoff = {1ms, 1.0, 1ms};
  Bench bench{options};
  std::set<std::string> forbidden{"secret"};
  bench.sink->answer(forbidding(forbidden));
  bench.put({}, "open");
  const std::int64_t row = bench.put({}, "secret");
  bench.run_for(59s);
  bench.sink->answer({});
  bench.run_for(2s);
  CHECK(bench.under_way() == Rows{row});
  bench.sink->fall();
  bench.sink->answer(always(delivered()));
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("blocked: a message to be tried is sent once, even when it was read ahead") {
  Options options = probing_each_minute();
  options.window = 1;
  Bench bench{options};
  std::string key;
  SUBCASE("without a key") {}
  SUBCASE("with a key") { key = "pump"; }
  bench.sink->answer(
      [](const Delivery& d) { return d.topic == "secret" ? blocked("no right") : reject("bad"); });
  bench.put({}, "open");
  bench.put(key, "secret");
  bench.run_for(59s);
  REQUIRE(bench.relay->snapshot().held_topics == 1);
  bench.sent();
  // The one in front fills the window, so that the one to be tried is read again and not taken up.
  bench.sink->answer({});
  REQUIRE(bench.storage->replay(1));
  bench.run_for(2s);
  REQUIRE(bench.sent() == Rows{1});
  REQUIRE(bench.relay->snapshot().read_ahead == (key.empty() ? 1 : 0));
  REQUIRE(bench.reply(1, delivered()));
  bench.run();
  CHECK(bench.sent() == Rows{2});
  REQUIRE(bench.reply(2, delivered()));
  bench.run_for(1s);
  CHECK(bench.sent().empty());
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE(
    "blocked: a try that is under way when all of the route is blocked goes on like others afterwards") {
  for (const char* key : {"k", ""}) {
    CAPTURE(key);
    Bench bench{probing_each_minute()};
    block_beside_a_try(bench, key);
    bench.sink->answer(always(delivered()));
    bench.sink->fall();
    bench.put(key, "first");
    bench.run_for(10min);
    CHECK(bench.storage->pending() == 0);
  }
}

TEST_CASE("blocked: a try that is refused after all of the route was does not hold its topic again") {
  Bench bench{probing_each_minute()};
  block_beside_a_try(bench, {});
  REQUIRE(bench.reply(1, blocked("not authorised")));
  bench.run();
  CHECK(bench.relay->snapshot().held_topics == 0);
  CHECK(bench.relay->snapshot().sink_problem == "no rights at all");
}

TEST_CASE(
    "blocked: a topic is tried with the next message when the one to try with goes at the wrong moment") {
  Bench bench{probing_each_minute()};
  std::set<std::string> forbidden{"secret"};
  bench.sink->answer(forbidding(forbidden));
  bench.put({}, "open");
  const Rows held = bench.put_many(2, {}, "secret");
  bench.run_for(59s);
  REQUIRE(bench.relay->snapshot().held_topics == 1);
  bool failed = false;
  bench.storage->fail([&](StorageCall call) {
    if (call != StorageCall::before_send || std::exchange(failed, true)) return;
    throw StorageError{"send", "the disk is busy", "wait"};
  });
  bench.clock.advance(1s);
  bench.run();
  REQUIRE(failed);
  REQUIRE(bench.storage->erase(held[0]));
  forbidden.clear();
  bench.run_for(10min);
  CHECK(bench.storage->pending() == 0);
}
