// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include <algorithm>
#include <set>

using namespace satchel;
using namespace satchel::relay;

namespace {

Options quick() {
  Options options;
  options.max_attempts = 3;
  options.probe_backoff = {10ms, 1.0, 10ms};
  options.retry_backoff = {10ms, 1.0, 10ms};
  options.window = 10;
  return options;
}

/// A broker of MQTT 3.1.1: it closes the connection on a message that it does not like, `after` it was sent,
/// and answers the others in 5 ms. While `flapping` is set the connection breaks at that age whatever is
/// sent.
struct Broker {
  explicit Broker(Bench& owner) : bench{owner} { bench.sink->answer({}); }

  void live(std::chrono::milliseconds time) {
    for (std::chrono::milliseconds passed{0}; passed < time; passed += 1ms) {
      bench.run();
      if (bench.sink->is_up() && !was_up) up_at = bench.clock.now();
      was_up = bench.sink->is_up();
      for (const Delivery& delivery : bench.sink->under_way()) act(delivery);
      if (flapping && bench.sink->is_up() && bench.clock.now() - up_at >= *flapping) bench.sink->fall();
      was_up = bench.sink->is_up();
      bench.clock.advance(1ms);
    }
    bench.run();
  }

  void act(const Delivery& delivery) {
    const auto begun = since.try_emplace(delivery.claim, bench.clock.now()).first->second;
    const bool bad = poison.count(delivery.id.row) != 0;
    if (bench.clock.now() - begun < (bad ? break_after : slow.count(delivery.id.row) != 0 ? upload : 5ms))
      return;
    if (bad) {
      bench.sink->fall();
    } else {
      bench.sink->reply(delivery.claim, delivered());
    }
  }

  Bench& bench;
  std::set<std::int64_t> poison;
  std::set<std::int64_t> slow;
  std::chrono::milliseconds break_after{3};
  std::chrono::milliseconds upload{60};
  std::optional<std::chrono::milliseconds> flapping;
  std::map<std::uint64_t, BootTime> since;
  BootTime up_at{};
  bool was_up = false;
};

}  // namespace

TEST_CASE("isolation: a poison message ends as a dead letter, innocents are delivered without an attempt") {
  Bench bench{quick()};
  Broker broker{bench};
  const Rows rows = bench.put_many(40);
  broker.poison = {rows[17]};
  broker.live(60s);
  CHECK(bench.storage->pending() == 0);
  REQUIRE(bench.medium->dead.size() == 1);
  CHECK(bench.medium->dead.at(rows[17]).reason == DeadReason::attempts);
  CHECK(bench.medium->dead.at(rows[17]).row.attempts == 3);
  CHECK(bench.witness.count("delivered") == 39);
  CHECK(bench.witness.count("retrying") == 2);
}

TEST_CASE("isolation: several poison messages, some with a key, end the same way") {
  Bench bench{quick()};
  Broker broker{bench};
  Rows rows;
  for (int i = 0; i < 60; ++i) rows.push_back(bench.put(i % 2 == 0 ? "k" + std::to_string(i % 10) : ""));
  broker.poison = {rows[3], rows[4], rows[14], rows[40]};
  broker.live(180s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.medium->dead.size() == 4);
  for (const std::int64_t row : broker.poison) CHECK(bench.medium->dead.count(row) == 1);
  CHECK(bench.witness.count("delivered") == 56);
}

TEST_CASE("isolation: a slow upload on a flaky link is no poison") {
  Bench bench{quick()};
  Broker broker{bench};
  const std::int64_t slow = bench.put();
  broker.slow = {slow};
  broker.upload = 5000ms;
  broker.flapping = 3000ms;
  for (int i = 0; i < 40; ++i) {
    bench.put();
    broker.live(10s);
  }
  CHECK(bench.medium->dead.empty());
  CHECK(bench.storage->pending() == 1);
  CHECK(bench.row(slow).attempts == 0);
  broker.flapping.reset();
  broker.live(60s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("isolation: a broker that breaks on every message is an outage") {
  Bench bench{quick()};
  Broker broker{bench};
  const Rows rows = bench.put_many(30);
  broker.poison.insert(rows.begin(), rows.end());
  broker.live(120s);
  CHECK(bench.medium->dead.empty());
  CHECK(bench.storage->pending() == 30);
  CHECK(bench.witness.count("retrying") == 0);
  broker.poison.clear();
  broker.live(10s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("isolation: the only message there is may be found guilty too") {
  Bench bench{quick()};
  Broker broker{bench};
  const std::int64_t row = bench.put();
  broker.poison = {row};
  broker.live(60s);
  CHECK(bench.medium->dead.count(row) == 1);
}

TEST_CASE("isolation: what was counted is taken back when the link proves to be bad") {
  Isolation isolation;
  isolation.suspect(7, 0);
  CHECK(isolation.next() == 7);
  isolation.broke(7, 500ms);
  CHECK(isolation.watch() == std::chrono::microseconds{1500ms});
  CHECK_FALSE(isolation.next());
  const auto guilty = isolation.link_is_sound(5, false);
  CHECK(guilty.guilty);
  isolation.suspect(7, 5);
  isolation.broke(7, 500ms);
  const auto fault = isolation.link_at_fault();
  CHECK_FALSE(fault.guilty);
  CHECK(fault.taken_back == 1);
  CHECK(isolation.next() == 7);
}

TEST_CASE(
    "isolation: without any delivery since the suspicion nothing is counted, and the next suspect has its "
    "turn") {
  Isolation isolation;
  isolation.suspect(1, 10);
  isolation.suspect(2, 10);
  isolation.broke(1, 1ms);
  CHECK(isolation.watch() == std::chrono::microseconds{1s});
  CHECK_FALSE(isolation.link_is_sound(10, true).guilty);
  CHECK(isolation.next() == 2);
  isolation.acquit(2);
  CHECK(isolation.next() == 1);
  isolation.broke(1, 1ms);
  CHECK(isolation.link_is_sound(11, false).guilty);
}

TEST_CASE("crash: a message that kills the process ends as a dead letter, and the rest gets through") {
  Options options = quick();
  Bench bench{options};
  const Rows rows = bench.put_many(20);
  const std::int64_t killer = rows[7];
  int crashes = 0;
  const auto answer = [killer](const Delivery& d) -> std::optional<Receipt> {
    if (d.id.row == killer) return std::nullopt;
    return delivered();
  };
  bench.sink->answer(answer);
  for (int lives = 0; lives < 50 && bench.medium->dead.empty(); ++lives) {
    bool dies = false;
    for (int rounds = 0; rounds < 100 && !dies; ++rounds) {
      bench.relay->step();
      dies = !bench.under_way().empty();
      bench.clock.advance(20ms);
    }
    if (!dies) continue;
    ++crashes;
    bench.crash(answer);
  }
  bench.run();
  CHECK(bench.medium->dead.at(killer).reason == DeadReason::crashed);
  CHECK(bench.medium->dead.at(killer).row.attempts == options.max_attempts);
  CHECK(crashes == options.max_attempts + 1);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("died") == 1);
}

TEST_CASE(
    "crash: with several in flight nobody is counted, and each is sent alone once the process has lived") {
  Bench bench{quick()};
  const Rows rows = bench.put_many(15);
  bench.run();
  REQUIRE(bench.under_way().size() == 10);
  bench.crash();
  bench.run();
  // The others need not wait for that.
  CHECK(bench.under_way() == Rows{rows[10], rows[11], rows[12], rows[13], rows[14]});
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.under_way().empty());
  bench.run_for(1s);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(bench.under_way() == Rows{rows[i]});
    CHECK(bench.row(rows[i]).attempts == 0);
    bench.sink->reply_all(delivered());
    bench.run();
  }
  CHECK(bench.under_way().empty());
}

TEST_CASE("crash: one that was sent alone on purpose is counted, marked, and only ever sent alone") {
  Bench bench{quick()};
  const std::int64_t row = bench.put();
  bench.run();
  bench.crash();
  bench.run_for(1s);
  CHECK(bench.row(row).attempts == 0);
  REQUIRE(bench.under_way() == Rows{row});
  bench.crash();
  bench.put_many(5);
  bench.run();
  CHECK(bench.row(row).attempts == 1);
  CHECK(bench.row(row).suspect);
  CHECK(bench.under_way().size() == 5);
  bench.run_for(2s);
  CHECK(bench.under_way().size() == 5);
  bench.sink->reply_all(delivered());
  bench.put_many(5);
  bench.run();
  CHECK(bench.under_way() == Rows{row});
  CHECK(bench.sink->under_way().front().attempts == 1);
}

TEST_CASE("crash: a process that keeps dying of something else counts nothing against its first message") {
  Bench bench{quick()};
  const std::int64_t row = bench.put();
  bench.run();
  REQUIRE(bench.under_way() == Rows{row});
  for (int restarts = 0; restarts < 20; ++restarts) {
    bench.crash();
    bench.run_for(900ms);
    CHECK(bench.under_way().empty());
  }
  CHECK(bench.row(row).attempts == 0);
  bench.run_for(200ms);
  CHECK(bench.under_way() == Rows{row});
}

TEST_CASE("crash: restarts during an outage count nothing against what came back before") {
  Bench bench{quick()};
  const std::int64_t row = bench.put();
  bench.run();
  bench.sink->refuse(down("no network"));
  bench.sink->fall();
  bench.run();
  for (int restarts = 0; restarts < 10; ++restarts) {
    bench.crash();
    bench.sink->refuse(down("no network"));
    bench.run_for(1s);
  }
  CHECK(bench.row(row).attempts == 0);
}

TEST_CASE("crash: a death is counted once even when the process dies again before anything else") {
  Bench bench{quick()};
  const std::int64_t row = bench.put();
  bench.run();
  bench.crash();
  bench.run_for(1s);
  REQUIRE(bench.under_way() == Rows{row});
  for (int restarts = 0; restarts < 5; ++restarts) {
    bench.crash();
    bench.sink->refuse(down("no network"));
    bench.run();
  }
  CHECK(bench.row(row).attempts == 1);
}

TEST_CASE("crash: suspects are found again when looking at them fails") {
  Bench bench{quick()};
  const Rows rows = bench.put_many(3);
  bench.run();
  bench.crash();
  bool broken = true;
  bench.storage->fail([&](StorageCall call) {
    if (broken && call == StorageCall::claim) throw StorageError{"claim", "i/o error", "check the disk"};
  });
  bench.run_for(5s);
  CHECK_FALSE(bench.relay->snapshot().leading);
  broken = false;
  bench.run_for(60s);
  CHECK(bench.under_way() == Rows{rows[0]});
}

TEST_CASE("crash: a claim that is lost before the suspects were looked at is taken again") {
  Bench bench{quick()};
  const std::int64_t row = bench.put();
  bench.run();
  bench.crash();
  bench.run_for(1s);
  REQUIRE(bench.under_way() == Rows{row});
  bench.crash();
  bool broken = true;
  bench.storage->fail([&](StorageCall call) {
    if (broken && call == StorageCall::claim) throw StorageError{"claim", "i/o error", "check the disk"};
  });
  bench.run_for(1s);
  bench.storage->usurp();
  broken = false;
  bench.run_for(60s);
  CHECK(bench.relay->snapshot().leading);
  CHECK(bench.under_way() == Rows{row});
}
