// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include <new>

using namespace satchel;
using namespace satchel::relay;

TEST_CASE("retry: attempts are recorded with their time, and the limit makes a dead letter") {
  Options options;
  options.max_attempts = 3;
  options.retry_backoff = {100ms, 2.0, 10'000ms};
  Bench bench{options};
  const std::int64_t row = bench.put();
  bench.sink->answer(always(retry("not now")));
  bench.run();
  CHECK(bench.row(row).attempts == 1);
  REQUIRE(bench.row(row).due.has_value());
  CHECK(*bench.row(row).due - bench.clock.now() <= 100ms);
  bench.run_for(10s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.medium->dead.at(row).reason == DeadReason::attempts);
  CHECK(bench.medium->dead.at(row).row.attempts == 3);
  CHECK(bench.witness.count("retrying") == 2);
  CHECK(bench.witness.backoffs[0] <= 100ms);
  CHECK(bench.witness.backoffs[1] <= 200ms);
  CHECK(bench.relay->snapshot().retried == 2);
}

TEST_CASE("retry: a backoff survives a restart of the process") {
  Bench bench;
  const std::int64_t row = bench.put();
  bench.sink->answer(always(retry("not now", 60'000ms)));
  bench.run();
  bench.crash(always(delivered()));
  bench.run_for(59s);
  CHECK(bench.storage->pending() == 1);
  CHECK(bench.row(row).attempts == 1);
  bench.run_for(5s);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("retry: age counts from the first failure and only while the sink is up") {
  Options options;
  options.max_attempts = 1000;
  options.max_age = 10s;
  options.retry_backoff = {1000ms, 1.0, 1000ms};
  Bench bench{options};
  const std::int64_t row = bench.put();
  bench.sink->answer(always(retry("no", 3000ms)));
  bench.run();
  bench.sink->refuse(down("away"));
  bench.sink->fall();
  bench.run_for(std::chrono::hours{10});
  CHECK(bench.row(row).attempts == 1);
  bench.sink->refuse(std::nullopt);
  bench.run_for(std::chrono::minutes{6});
  CHECK(bench.medium->dead.at(row).reason == DeadReason::age);
  CHECK(bench.medium->dead.at(row).row.attempts >= 4);
  CHECK(bench.medium->dead.at(row).row.attempts <= 6);
}

TEST_CASE("settle: without linger a full batch, an empty window or 20 ms make it happen") {
  Options options;
  options.batch_size = 3;
  Bench bench{options};
  const Rows rows = bench.put_many(6);
  bench.run();
  CHECK(bench.reply(rows[0], delivered()));
  CHECK(bench.reply(rows[1], delivered()));
  bench.run();
  CHECK(bench.relay->snapshot().unsettled == 2);
  CHECK(bench.storage->settles() == 0);
  SUBCASE("a full batch") {
    CHECK(bench.reply(rows[2], delivered()));
    bench.run();
    CHECK(bench.storage->settles() == 1);
  }
  SUBCASE("20 ms") {
    bench.run_for(19ms);
    CHECK(bench.storage->settles() == 0);
    bench.run_for(1ms);
    CHECK(bench.storage->settles() == 1);
  }
  SUBCASE("an empty window") {
    CHECK(bench.reply(rows[2], delivered()));
    CHECK(bench.reply(rows[3], delivered()));
    CHECK(bench.reply(rows[4], delivered()));
    CHECK(bench.reply(rows[5], delivered()));
    bench.run();
    CHECK(bench.storage->settles() == 2);
    CHECK(bench.storage->pending() == 0);
  }
}

TEST_CASE("settle: while the storage is occupied sending goes on, up to the limit of unsettled receipts") {
  Options options;
  options.max_unsettled = 20;
  options.batch_size = 10;
  options.window = 5;
  Bench bench{options};
  bench.sink->answer(always(delivered()));
  bench.put_many(100);
  bench.storage->occupy(true);
  bench.run();
  const std::uint64_t unsettled = bench.relay->snapshot().unsettled;
  CHECK(unsettled >= 20);
  CHECK(unsettled < 20 + options.window);
  CHECK(bench.storage->pending() == 100);
  CHECK(bench.witness.count("delivered") == 0);
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.relay->snapshot().unsettled == unsettled);
  bench.storage->occupy(false);
  CHECK(bench.wakes > 0);
  bench.run();
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered") == 100);
}

TEST_CASE("settle: of an unknown outcome the same set is settled again before it is forgotten") {
  Bench bench;
  std::vector<std::string> order;
  int unknown = 2;
  bench.storage->fail([&](StorageCall call) {
    if (call == StorageCall::settle && unknown-- > 0) throw OutcomeUnknown{"settle", "i/o error", "wait"};
  });
  bench.sink->answer(always(delivered()));
  bench.put_many(4);
  bench.run();
  CHECK(bench.relay->snapshot().unsettled == 4);
  CHECK(bench.witness.count("delivered") == 0);
  CHECK(bench.relay->snapshot().failure.has_value());
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered") == 4);
  CHECK(bench.witness.count("failing") == 1);
  CHECK(bench.witness.count("healed") == 1);
}

TEST_CASE(
    "settle: what comes back after an unknown outcome is not mixed into the set that is settled again") {
  Bench bench;
  const Rows rows = bench.put_many(6);
  bench.run();
  bool unknown = true;
  bench.storage->fail([&](StorageCall call) {
    if (call == StorageCall::settle && std::exchange(unknown, false)) {
      throw OutcomeUnknown{"settle", "i/o error", "wait"};
    }
  });
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(bench.reply(rows[i], delivered()));
  bench.run_for(20ms);
  REQUIRE_FALSE(unknown);
  REQUIRE(bench.storage->settles() == 0);
  for (std::size_t i = 4; i < 6; ++i) REQUIRE(bench.reply(rows[i], delivered()));
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.storage->settles() == 2);
}

TEST_CASE("settle: a finish waits for a storage that is occupied, but not for ever") {
  Bench bench;
  bench.sink->answer(always(delivered()));
  bench.storage->occupy(true);
  bench.put_many(2);
  bench.run();
  REQUIRE(bench.relay->snapshot().unsettled == 2);
  int tries = 0;

  SUBCASE("it gets free in time") {
    bench.storage->fail([&](StorageCall call) {
      if (call == StorageCall::settle && ++tries == 5) bench.storage->occupy(false);
    });
    bench.relay->finish(1s);
    CHECK(tries == 5);
    CHECK(bench.storage->pending() == 0);
  }
  SUBCASE("the time is over") {
    bench.storage->fail([&](StorageCall call) {
      if (call == StorageCall::settle && ++tries == 5) bench.clock.advance(1s);
    });
    bench.relay->finish(1s);
    CHECK(tries == 6);
    CHECK(bench.storage->pending() == 2);
  }
  SUBCASE("not even the clock moves") {
    bench.relay->finish(1s);
    CHECK(bench.storage->pending() == 2);
  }
  SUBCASE("the claim is lost meanwhile") {
    bench.storage->fail([&](StorageCall call) {
      if (call == StorageCall::settle && ++tries == 5) throw ClaimLost{"settle", "somebody else has it", ""};
    });
    bench.relay->finish(1s);
    CHECK(tries == 5);
    CHECK(bench.storage->pending() == 2);
  }
}

TEST_CASE("settle: after a lost claim everything in memory is void and the relay stands by") {
  Bench bench;
  const Rows rows = bench.put_many(3);
  bench.run();
  bench.storage->usurp();
  auto other = std::make_unique<MemoryStorage>(bench.clock, bench.medium);
  CHECK(other->acquire().has_value());
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.storage->pending() == 3);
  CHECK(bench.witness.count("stands by") == 1);
  CHECK(bench.sink->resets() == 1);
  CHECK_FALSE(bench.relay->snapshot().leading);
  CHECK_FALSE(bench.relay->snapshot().failure.has_value());
  bench.run_for(1s);
  CHECK_FALSE(bench.relay->next_step().has_value());
  bench.sent();
  other->release();
  CHECK(bench.wakes > 0);
  bench.run();
  CHECK(bench.relay->snapshot().leading);
  CHECK(bench.sent() == rows);
}

TEST_CASE("standby: it waits without a wake-up of its own and takes over when the claim is free") {
  Bench bench;
  auto other = std::make_unique<MemoryStorage>(bench.clock, bench.medium);
  bench.relay->step();
  Witness witness;
  ScriptedSink sink;
  Relay second{{}, {*other, sink, bench.clock, witness}, [] {}, 1};
  CHECK_FALSE(second.step());
  CHECK_FALSE(second.next_step().has_value());
  CHECK(sink.resumes() == 0);
  bench.relay->finish(0ms);
  CHECK(second.step());
  CHECK(second.snapshot().leading);
  second.finish(0ms);
}

TEST_CASE(
    "failure: whichever call of the storage fails, it is told once, retried ever more slowly, and heals") {
  for (const StorageCall broken : {StorageCall::acquire, StorageCall::claim, StorageCall::before_send,
                                   StorageCall::settle, StorageCall::maintain, StorageCall::look}) {
    CAPTURE(static_cast<int>(broken));
    Bench bench;
    bool on = true;
    int tries = 0;
    bench.storage->fail([&](StorageCall call) {
      if (call != broken || !on) return;
      ++tries;
      throw FullError{"write", "no space left on device", "free some space"};
    });
    bench.sink->answer(always(delivered()));
    bench.put_many(3, "k");
    bench.put_many(3);
    bench.run_for(10s);
    const auto failure = bench.relay->snapshot().failure;
    REQUIRE(failure.has_value());
    CHECK(failure->problem == "write: no space left on device");
    CHECK(failure->hint == "free some space");
    CHECK(failure->since == BootTime{1h});
    CHECK(tries >= 4);
    CHECK(tries <= 20);
    tries = 0;
    bench.run_for(10min);
    CHECK(tries >= 15);
    CHECK(tries <= 50);
    CHECK(bench.witness.count("failing") == 1);
    CHECK(bench.witness.count("healed") == 0);
    on = false;
    bench.run_for(40s);
    CHECK(bench.witness.count("healed") == 1);
    CHECK_FALSE(bench.relay->snapshot().failure.has_value());
    CHECK(bench.storage->pending() == 0);
    CHECK(bench.witness.count("delivered") == 6);
  }
}

TEST_CASE("failure: what was chosen when a read fails halfway is not lost") {
  Options options;
  options.probe_backoff = {1ms, 1.0, 1ms};
  Bench bench{options};
  bench.put_many(3);
  bench.put_many(3, "k");
  bench.run();
  bench.sink->fall();
  bench.sink->answer(always(delivered()));
  Jitter chance{1};
  bench.storage->fail([&](StorageCall call) {
    if (call == StorageCall::claim && chance.draw(2ms) == 0ms)
      throw StorageError{"claim", "i/o error", "check the disk"};
  });
  bench.run_for(10min);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("failure: after a lack of memory the relay starts over from the storage") {
  Bench bench;
  int times = 3;
  bench.storage->fail([&](StorageCall call) {
    if (call == StorageCall::claim && times-- > 0) throw std::bad_alloc{};
  });
  bench.sink->answer(always(delivered()));
  bench.put_many(5);
  bench.run_for(10s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("failing") >= 1);
  CHECK(bench.witness.count("healed") == bench.witness.count("failing"));
}

TEST_CASE("failure: a drain does not wait for a storage that stays broken") {
  Bench bench;
  bench.sink->answer(always(delivered()));
  bench.put();
  bench.storage->fail([&](StorageCall call) {
    if (call == StorageCall::settle) throw FullError{"settle", "no space left on device", "free some space"};
  });
  bench.run();
  bench.relay->drain();
  CHECK_FALSE(bench.relay->drained());
  bench.run_for(2s);
  CHECK(bench.relay->drained());
  bench.relay->finish(100ms);
  CHECK(bench.storage->pending() == 1);
}
