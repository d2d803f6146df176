// SPDX-License-Identifier: MIT
#include "relay/limits.hpp"
#include "routes_bench.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

/// 2026-01-15 00:00 UTC.
constexpr WallTime kMidnight{std::chrono::milliseconds{1'768'435'200'000}};

std::int64_t put(MemoryStorage& storage, Priority priority, std::size_t bytes = 100) {
  return storage.save({.topic = "t", .payload = std::string(bytes - 1, 'x'), .priority = priority}).row;
}

}  // namespace

TEST_CASE("limits: a rate of messages holds on average, and nobody spins meanwhile") {
  RouteOptions route = route_of("slow");
  route.messages_per_second = 10;
  RoutesBench bench{{route}};
  for (int i = 0; i < 200; ++i) bench.put("t");
  bench.run();
  CHECK(bench.sent(0).size() == 10);
  bench.run_for(10s);
  const std::size_t sent = bench.sent(0).size();
  CHECK(sent >= 98);
  CHECK(sent <= 101);
  bench.run_for(20s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("limits: a rate of bytes lets a message through that is larger than a second's worth") {
  RouteOptions route = route_of("slow");
  route.bytes_per_second = 50;
  RoutesBench bench{{route}};
  for (int i = 0; i < 5; ++i) put(*bench.storage, Priority::normal, 100);
  bench.run();
  CHECK(bench.sent(0).size() == 1);
  bench.run_for(20s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("limits: beyond its budget a route sends urgent messages from the reserve, then nothing") {
  RouteOptions route = route_of("metered");
  route.budget = {1000, 300, DataBudget::Period::day};
  RoutesBench bench{{route}};
  bench.clock.set_wall(kMidnight + std::chrono::hours{1}, true);
  for (int i = 0; i < 10; ++i) put(*bench.storage, Priority::normal);
  for (int i = 0; i < 5; ++i) put(*bench.storage, Priority::bulk);
  bench.run_for(1s);
  CHECK(bench.sent(0).size() == 7);
  CHECK(bench.status(0).held_back);
  CHECK(bench.status(0).budget_used == 700);
  CHECK(bench.status(0).sink == SinkState::up);
  for (int i = 0; i < 5; ++i) put(*bench.storage, Priority::urgent);
  bench.run_for(1s);
  CHECK(bench.sent(0) == Rows{16, 17, 18});
  CHECK(bench.storage->pending() == 10);
}

TEST_CASE("limits: what a budget has used is kept over a crash") {
  RouteOptions route = route_of("metered");
  route.budget = {1000, 0, DataBudget::Period::month};
  RoutesBench bench{{route}};
  for (int i = 0; i < 6; ++i) put(*bench.storage, Priority::normal);
  bench.run_for(1s);
  CHECK(bench.medium->notes.count("budget:metered") == 1);
  bench.crash();
  for (int i = 0; i < 6; ++i) put(*bench.storage, Priority::normal);
  bench.run_for(1s);
  CHECK(bench.sent(0).size() == 4);
  CHECK(bench.status(0).budget_used == 1000);
}

TEST_CASE("limits: in quiet hours only urgent messages go, and the others when they are over") {
  RouteOptions route = route_of("quiet");
  route.quiet = {{std::chrono::hours{22}, std::chrono::hours{6}}};
  RoutesBench bench{{route}};
  bench.clock.set_wall(kMidnight + std::chrono::hours{4}, true);
  const std::int64_t normal = put(*bench.storage, Priority::normal);
  const std::int64_t urgent = put(*bench.storage, Priority::urgent);
  bench.run_for(1s);
  CHECK(bench.sent(0) == Rows{urgent});
  CHECK(bench.status(0).held_back);
  for (int hours = 0; hours < 3; ++hours) {
    bench.clock.set_wall(kMidnight + std::chrono::hours{5 + hours}, true);
    bench.run_for(std::chrono::hours{1});
  }
  CHECK(bench.sent(0) == Rows{normal});
  CHECK_FALSE(bench.status(0).held_back);
}

TEST_CASE("limits: in quiet hours an urgent message waits for the rate alone") {
  RouteOptions route = route_of("quiet");
  route.messages_per_second = 1;
  route.quiet = {{std::chrono::hours{22}, std::chrono::hours{6}}};
  Limits limits{route};
  const WallReading night{kMidnight, true};
  const BootTime now{std::chrono::hours{1}};
  limits.take(100, now, night);
  CHECK(limits.next(100, true, now, night) == now + 1s);
  CHECK(limits.next(100, false, now, night) == now + std::chrono::hours{1});
}

TEST_CASE("limits: a route without any never asks the wall clock, and both ends of a rate are kept") {
  RouteOptions slowest = route_of("slowest", {"slow"});
  slowest.messages_per_second = 0.001;
  RouteOptions fastest = route_of("fastest");
  fastest.messages_per_second = 1'000'000;
  fastest.bytes_per_second = 1e10;
  RoutesBench bench{{slowest, fastest}};
  for (int i = 0; i < 1000; ++i) bench.put(i < 2 ? "slow" : "fast");
  bench.run_for(1s);
  CHECK(bench.status(0).delivered == 1);
  CHECK(bench.status(1).delivered == 998);
  bench.run_for(1001s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("limits: after an outage the first hand-over waits a drawn time, and not at a start") {
  Options options;
  options.drain_jitter = 60'000ms;
  Bench bench{options};
  bench.sink->answer(always(delivered()));
  bench.put();
  bench.run();
  CHECK(bench.sent().size() == 1);
  bench.sink->fall();
  bench.put();
  bench.run_for(2s);
  CHECK(bench.sink->is_up());
  CHECK(bench.sent().empty());
  bench.run_for(60s);
  CHECK(bench.sent().size() == 1);
}

TEST_CASE("retry policy: the message's own goes before the topic's, and that before the options") {
  Options options;
  options.max_attempts = 5;
  options.retry_backoff = {10ms, 1.0, 10ms};
  TopicRule rule;
  rule.filter = "rare/#";
  rule.retry.max_attempts = 2;
  options.topics = {rule};
  Bench bench{options};
  std::map<std::int64_t, int> tries;
  bench.sink->answer([&](const Delivery& d) {
    ++tries[d.id.row];
    return retry("no");
  });
  const std::int64_t plain = bench.put();
  const std::int64_t rare = bench.put({}, "rare/x");
  RetryPolicy own;
  own.max_attempts = 3;
  const std::int64_t special = bench.storage->save({.topic = "rare/x", .payload = "p", .retry = own}).row;
  bench.run_for(10s);
  CHECK(tries[plain] == 5);
  CHECK(tries[rare] == 2);
  CHECK(tries[special] == 3);
  CHECK(bench.medium->dead.size() == 3);
}

TEST_CASE("retry policy: the greatest age is the message's own, then the topic's, then the options'") {
  Options options;
  options.max_attempts = 1'000'000;
  options.retry_backoff = {1s, 1.0, 1s};
  TopicRule rule;
  rule.filter = "rare/#";
  rule.retry.max_age = 10s;
  options.topics = {rule};
  Bench bench{options};
  bench.sink->answer(always(retry("no")));
  const std::int64_t plain = bench.put();
  const std::int64_t rare = bench.put({}, "rare/x");
  RetryPolicy own;
  own.max_age = 3s;
  const std::int64_t special = bench.storage->save({.topic = "rare/x", .payload = "p", .retry = own}).row;
  const auto died = [&](std::int64_t row) {
    return bench.witness.count("died " + std::to_string(row) + " " +
                               std::to_string(static_cast<int>(DeadReason::age)));
  };
  // The age is looked at when an attempt fails, and the next one comes within a second.
  bench.run_for(2999ms);
  CHECK(died(special) == 0);
  bench.run_for(1002ms);
  CHECK(died(special) == 1);
  bench.run_for(5998ms);
  CHECK(died(rare) == 0);
  bench.run_for(1002ms);
  CHECK(died(rare) == 1);
  bench.run_for(60s);
  CHECK(bench.medium->rows.count(plain) == 1);
  CHECK(bench.medium->dead.size() == 2);
}

TEST_CASE("retry policy: the backoff is the message's own, then the topic's, then the options'") {
  Options options;
  options.max_attempts = 20;
  options.retry_backoff = {10ms, 1.0, 10ms};
  TopicRule rule;
  rule.filter = "rare/#";
  rule.retry.backoff = Backoff{1s, 1.0, 1s};
  options.topics = {rule};
  Bench bench{options};
  std::map<std::int64_t, BootTime> last;
  std::map<std::int64_t, BootTime::duration> longest;
  bench.sink->answer([&](const Delivery& d) {
    const auto [before, first] = last.try_emplace(d.id.row, bench.clock.now());
    longest[d.id.row] = std::max(longest[d.id.row], bench.clock.now() - before->second);
    before->second = bench.clock.now();
    return retry("no");
  });
  const std::int64_t plain = bench.put();
  const std::int64_t rare = bench.put({}, "rare/x");
  RetryPolicy own;
  own.backoff = Backoff{100s, 1.0, 100s};
  const std::int64_t special = bench.storage->save({.topic = "rare/x", .payload = "p", .retry = own}).row;
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.medium->dead.size() == 3);
  CHECK(longest[plain] <= 10ms);
  CHECK(longest[rare] > 10ms);
  CHECK(longest[rare] <= 1s);
  CHECK(longest[special] > 1s);
  CHECK(longest[special] <= 100s);
}
