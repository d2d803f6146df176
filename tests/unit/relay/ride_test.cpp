// SPDX-License-Identifier: MIT
#include "bench.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

/// A relay that may let deliveries ride, beside an application that commits again and again.
struct RidingBench : Bench {
  explicit RidingBench(Options changed = {}) : Bench{std::move(changed)} {
    relay->let_ride(true);
    storage->let_ride(true);
    sink->answer(always(delivered()));
  }
};

}  // namespace

TEST_CASE("ride: deliveries are recorded by the next commit of the application, without a settle") {
  RidingBench bench;
  bench.put_many(3);
  bench.run();
  CHECK(bench.storage->pending() == 3);
  CHECK(bench.witness.count("delivered") == 0);
  bench.put();
  CHECK(bench.storage->pending() == 1);
  bench.run();
  CHECK(bench.storage->settles() == 0);
  CHECK(bench.witness.count("delivered") == 3);
  CHECK(bench.relay->snapshot().delivered == 3);
  CHECK(bench.relay->snapshot().unsettled == 1);
}

TEST_CASE("ride: when no commit comes, the relay records by itself, a moment later") {
  RidingBench bench;
  bench.put();
  bench.run();
  CHECK(bench.storage->settles() == 0);
  REQUIRE(bench.relay->next_step().has_value());
  CHECK(*bench.relay->next_step() - bench.clock.now() <= 20ms);
  bench.run_for(20ms);
  CHECK(bench.storage->settles() == 1);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered") == 1);
  CHECK_FALSE(bench.relay->next_step().has_value());
}

TEST_CASE("ride: nothing waits where commits are rare, or where nobody goes on stepping") {
  RidingBench bench;
  SUBCASE("commits are rare") { bench.storage->let_ride(false); }
  SUBCASE("the relay is stepped by hand") { bench.relay->let_ride(false); }
  bench.put();
  bench.run();
  CHECK(bench.storage->settles() == 1);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("ride: never more than max_unsettled wait for a commit") {
  Options options;
  options.max_unsettled = 10;
  options.batch_size = 5;
  RidingBench bench{options};
  bench.put_many(9);
  bench.run();
  CHECK(bench.storage->settles() == 0);
  CHECK(bench.relay->snapshot().unsettled == 9);
  // This save takes nine along.
  bench.put_many(1);
  bench.run();
  CHECK(bench.relay->snapshot().unsettled == 1);
  bench.storage->let_ride(true);
  for (int round = 0; round < 50; ++round) {
    bench.put();
    bench.run();
    CHECK(bench.relay->snapshot().unsettled < 10);
  }
  CHECK(bench.storage->settles() == 0);
}

TEST_CASE("ride: a failure is recorded at once, with the deliveries before it") {
  RidingBench bench;
  bench.put();
  bench.run();
  REQUIRE(bench.storage->settles() == 0);
  bench.sink->answer(always(retry("not now")));
  const std::int64_t failing = bench.put();
  bench.put();
  bench.run();
  CHECK(bench.storage->settles() > 0);
  CHECK(bench.row(failing).attempts == 1);
  CHECK(bench.witness.count("delivered") == 1);
}

TEST_CASE("ride: a pause, a drain and a finish do not wait for a commit") {
  RidingBench bench;
  bench.put_many(3);
  bench.run();
  REQUIRE(bench.relay->snapshot().unsettled == 3);
  SUBCASE("pause") {
    bench.relay->pause(0, true);
    bench.run();
  }
  SUBCASE("drain") {
    bench.relay->drain();
    bench.run();
    CHECK(bench.relay->drained());
  }
  SUBCASE("finish") { bench.relay->finish(1s); }
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered") == 3);
}

TEST_CASE("ride: with settle_linger a commit in the meantime takes along what waits") {
  Options options;
  options.settle_linger = 1h;
  RidingBench bench{options};
  bench.storage->let_ride(false);
  for (int second = 0; second < 100; ++second) {
    bench.put();
    bench.run_for(1s);
    CHECK(bench.relay->snapshot().unsettled == 1);
  }
  CHECK(bench.storage->settles() == 0);
  CHECK(bench.storage->pending() == 1);
  CHECK(bench.witness.count("delivered") == 99);
}

TEST_CASE("ride: a settle of unknown outcome is repeated with the same rows, and none of them rides") {
  RidingBench bench;
  bench.put_many(2);
  bench.run();
  int failures = 0;
  bench.storage->fail([&](StorageCall call) {
    if (call != StorageCall::settle || failures++ > 0) return;
    throw OutcomeUnknown{"settle", "I/O error", "again", 10};
  });
  bench.run_for(20ms);
  REQUIRE(failures == 1);
  // The rows that must be settled again do not ride in this one.
  bench.put();
  CHECK(bench.storage->pending() == 3);
  bench.run_for(10s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered") == 3);
}

TEST_CASE("ride: after the claim is lost nothing of the old relay rides") {
  RidingBench bench;
  bench.put();
  bench.run();
  REQUIRE(bench.relay->snapshot().unsettled == 1);
  bench.storage->usurp();
  bench.put();
  CHECK(bench.storage->pending() == 2);
}
