// SPDX-License-Identifier: MIT
#include "routes_bench.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

std::int64_t put(MemoryStorage& storage, std::chrono::milliseconds delay, const std::string& key = {},
                 const std::string& topic = "t") {
  return storage.save({.topic = topic, .payload = "p", .key = key, .not_before = delay}).row;
}

}  // namespace

TEST_CASE("delay: a message is sent when its time has come, not before, and nobody polls for it") {
  Bench bench;
  bench.sink->answer(always(delivered()));
  const std::int64_t late = put(*bench.storage, 10'000ms);
  const std::int64_t now = bench.put();
  bench.run_for(9'999ms);
  CHECK(bench.sent() == Rows{now});
  const std::uint64_t reads = bench.storage->reads();
  bench.run_for(1ms);
  CHECK(bench.sent() == Rows{late});
  CHECK(bench.storage->reads() <= reads + 3);
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("delay: many become due at once, in bounded batches and without a second pass over the rest") {
  Options options;
  options.batch_size = 10;
  Bench bench{options};
  bench.sink->answer(always(delivered()));
  for (int i = 0; i < 1000; ++i) put(*bench.storage, 5'000ms, i % 2 == 0 ? "" : "k" + std::to_string(i % 7));
  bench.run_for(6s);
  bench.run_for(1s);
  CHECK(bench.sent().size() == 1000);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("delay: a message takes its place in the order of its key when it becomes due") {
  Options options;
  Bench bench{options};
  const std::int64_t late = put(*bench.storage, 1'000ms, "k");
  const Rows others = bench.put_many(4, "k");
  bench.run();
  CHECK(bench.under_way() == Rows{others[0]});
  bench.run_for(1'000ms);
  CHECK(bench.under_way() == Rows{others[0]});
  bench.sink->answer(always(delivered()));
  CHECK(bench.reply(others[0], delivered()));
  bench.sink->take_sent();
  bench.run_for(1s);
  CHECK(bench.sent() == Rows{late, others[1], others[2], others[3]});
}

TEST_CASE("delay: after a release that found nothing the relay looks at once for what becomes due next") {
  Bench bench;
  const std::int64_t gone = put(*bench.storage, 1'000ms);
  bench.run();
  bench.storage->fail([&](StorageCall call) {
    if (call != StorageCall::release_due || !bench.storage->erase(gone)) return;
    put(*bench.storage, 5'000ms);
  });
  bench.clock.advance(1s);
  bench.run();
  CHECK(bench.relay->next_step() == bench.clock.now() + 5s);
}

TEST_CASE("delay: an occupied storage releases when it is free, and is not asked again and again") {
  Bench bench;
  bench.sink->answer(always(delivered()));
  put(*bench.storage, 1'000ms);
  bench.run();
  bench.storage->occupy(true);
  bench.clock.advance(1s);
  bench.run();
  CHECK(bench.sent().empty());
  bench.storage->occupy(false);
  bench.run_for(1s);
  CHECK(bench.sent() == Rows{1});
  CHECK(bench.witness.count("healed") == 0);
}

TEST_CASE("delay: a route that is down gets what became due when it is up, and the other at once") {
  RoutesBench bench{{route_of("alarms", {"alarm/#"}), route_of("rest")}};
  bench.sinks[0]->refuse(down("away"));
  for (int i = 0; i < 50; ++i) put(*bench.storage, 1'000ms, i % 2 == 0 ? "k" : "", "alarm/x");
  Rows rest;
  for (int i = 0; i < 50; ++i) rest.push_back(put(*bench.storage, 1'000ms, "", "value"));
  bench.run_for(2s);
  CHECK(bench.sent(1) == rest);
  CHECK(bench.storage->pending() == 50);
  bench.sinks[0]->refuse(std::nullopt);
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("delay: what becomes due for no route stays, and nothing is released while a relay drains") {
  RoutesBench bench{{route_of("one", {"t"})}};
  put(*bench.storage, 1'000ms, "", "elsewhere");
  bench.run_for(2s);
  CHECK(bench.sent(0).empty());
  CHECK(bench.storage->pending() == 1);
  bench.sinks[0]->answer({});
  bench.put("t");
  put(*bench.storage, 1'000ms);
  bench.run();
  REQUIRE(bench.under_way(0).size() == 1);
  bench.relay->drain();
  bench.clock.advance(2s);
  bench.run();
  CHECK(bench.under_way(0).size() == 1);
  CHECK(bench.sinks[0]->reply_all(delivered()) == 1);
  bench.run();
  CHECK(bench.relay->drained());
  CHECK(bench.storage->pending() == 2);
}
