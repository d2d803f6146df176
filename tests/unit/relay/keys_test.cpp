// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include <map>

using namespace satchel;
using namespace satchel::relay;

TEST_CASE("keys: at most one message of a key is in flight, the others go on") {
  Bench bench;
  const Rows a = bench.put_many(3, "a");
  const Rows b = bench.put_many(2, "b");
  const std::int64_t plain = bench.put();
  bench.run();
  CHECK(bench.under_way() == Rows{a[0], b[0], plain});
  CHECK(bench.reply(a[0], delivered()));
  bench.run();
  CHECK(bench.under_way() == Rows{b[0], plain, a[1]});
}

TEST_CASE("keys: a message in backoff holds its key back, and nothing else") {
  Options options;
  options.retry_backoff = {1000ms, 1.0, 1000ms};
  Bench bench{options};
  const Rows a = bench.put_many(3, "a");
  const Rows b = bench.put_many(3, "b");
  bool failed = false;
  bench.sink->answer([&](const Delivery& d) {
    if (d.id.row != a[0] || failed) return delivered();
    failed = true;
    return retry("not now", 700ms);
  });
  bench.run();
  CHECK(bench.sent() == Rows{a[0], b[0], b[1], b[2]});
  bench.run_for(650ms);
  CHECK(bench.sent().empty());
  bench.run_for(1100ms);
  CHECK(bench.sent() == a);
}

TEST_CASE("keys: a key goes on when its message dies or expires") {
  Bench bench;
  const std::int64_t dies = bench.put("a");
  bench.storage->save({.topic = "t", .payload = "p", .key = "a", .expires_after = 5ms});
  const std::int64_t last = bench.put("a");
  bench.run();
  CHECK(bench.under_way() == Rows{dies});
  bench.clock.advance(5ms);
  CHECK(bench.reply(dies, reject("bad")));
  bench.run();
  CHECK(bench.under_way() == Rows{last});
  bench.run_for(1s);
  CHECK(bench.medium->expired == 1);
}

TEST_CASE("keys: order holds through an outage, a crash and a rescan") {
  Options options;
  options.retry_backoff = {10ms, 1.0, 10ms};
  Bench bench{options};
  std::map<std::string, std::int64_t> newest;
  bool in_order = true;
  const auto answer = [&](const Delivery& d) -> std::optional<Receipt> {
    in_order = in_order && d.id.row >= newest[d.key];
    newest[d.key] = d.id.row;
    return d.id.row % 3 == 0 && d.attempts == 0 ? retry("no") : delivered();
  };
  for (int i = 0; i < 200; ++i) bench.put("k" + std::to_string(i % 7));
  bench.run();
  bench.sink->fall();
  bench.run();
  bench.crash(answer);
  ++bench.medium->rescans;
  bench.run_for(60s);
  CHECK(bench.storage->pending() == 0);
  CHECK(in_order);
}

TEST_CASE("keys: one hot key does not keep the others waiting") {
  Options options;
  options.batch_size = 10;
  Bench bench{options};
  bench.put_many(5000, "hot");
  const std::int64_t other = bench.put("cold");
  bench.run();
  CHECK(bench.under_way() == Rows{1, other});
  CHECK(bench.relay->snapshot().read_ahead <= 30);
}

TEST_CASE("keys: with too many waiting keys the cursor stops, and goes on when they do") {
  Options options;
  options.window = 2;
  options.batch_size = 5;
  options.retry_backoff = {1000ms, 1.0, 1000ms};
  Bench bench{options};
  bool open = false;
  bench.sink->answer([&](const Delivery&) { return open ? delivered() : retry("no", 1000ms); });
  for (int i = 0; i < 1000; ++i) bench.put("k" + std::to_string(i));
  bench.run();
  const std::uint64_t limit = key_limit(options);
  CHECK(bench.relay->snapshot().retrying <= retrying_limit(options) + options.batch_size + options.window);
  CHECK(bench.relay->snapshot().keys <= limit);
  const std::uint64_t reads = bench.storage->reads();
  bench.put();
  bench.run();
  CHECK(bench.storage->reads() <= reads + 5);
  open = true;
  bench.run_for(300s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("keys: messages in backoff are limited, and what stands behind them is reached later") {
  Options options;
  options.window = 3;
  options.batch_size = 4;
  options.retry_backoff = {1000ms, 1.0, 1000ms};
  Bench bench{options};
  bench.sink->answer([&](const Delivery& d) { return d.attempts == 0 ? retry("no", 1000ms) : delivered(); });
  bench.put_many(500);
  bench.run();
  CHECK(bench.relay->snapshot().retrying >= retrying_limit(options));
  CHECK(bench.relay->snapshot().retrying <=
        retrying_limit(options) + 2 * options.batch_size + options.window);
  bench.run_for(200s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("keys: a stream without a key does not starve a key") {
  Options options;
  options.window = 4;
  options.batch_size = 4;
  Bench bench{options};
  std::int64_t keyed = 0;
  bench.sink->answer([&](const Delivery& d) {
    if (!d.key.empty()) ++keyed;
    if (bench.storage->medium()->newest < 3000) bench.put();
    return delivered();
  });
  bench.put_many(100, "k");
  bench.put_many(50);
  int rounds = 0;
  while (keyed < 100 && ++rounds < 400) bench.relay->step();
  CHECK(keyed == 100);
  CHECK(bench.medium->newest < 3000);
  bench.run();
}
