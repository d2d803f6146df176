// SPDX-License-Identifier: MIT
#include "bench.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

/// A device that takes an hour before it records what it sent, unless something makes it.
Options patient() {
  Options options;
  options.settle_linger = 1h;
  return options;
}

}  // namespace

TEST_CASE("linger: a message that is delivered alone waits for company, and the batch is recorded at once") {
  Options options = patient();
  options.batch_size = 5;
  Bench bench{options};
  bench.sink->answer(always(delivered()));
  for (int second = 1; second <= 4; ++second) {
    bench.put();
    bench.run_for(1s);
    CHECK(bench.relay->snapshot().unsettled == static_cast<std::uint64_t>(second));
  }
  CHECK(bench.storage->settles() == 0);
  CHECK(bench.witness.count("delivered") == 0);
  bench.put();
  bench.run();
  CHECK(bench.storage->settles() == 1);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered") == 5);
}

TEST_CASE("linger: never more receipts wait than max_unsettled") {
  Options options = patient();
  options.max_unsettled = 3;
  Bench bench{options};
  bench.sink->answer(always(delivered()));
  for (int message = 0; message < 10; ++message) {
    bench.put();
    bench.run();
    CHECK(bench.relay->snapshot().unsettled < 3);
  }
  CHECK(bench.storage->settles() == 3);
  CHECK(bench.relay->snapshot().unsettled == 1);
}

TEST_CASE("linger: the oldest receipt is recorded when its time is over, with one wake-up for all") {
  Bench bench{patient()};
  bench.sink->answer(always(delivered()));
  bench.put();
  bench.run_for(40min);
  bench.put();
  bench.run();
  REQUIRE(bench.relay->next_step().has_value());
  CHECK(*bench.relay->next_step() - bench.clock.now() == 20min);
  bench.run_for(20min - 1ms);
  CHECK(bench.storage->settles() == 0);
  bench.run_for(1ms);
  CHECK(bench.storage->settles() == 1);
  CHECK(bench.storage->pending() == 0);
  CHECK_FALSE(bench.relay->next_step().has_value());
}

TEST_CASE("linger: a pause, a failing sink, a drain and a finish do not wait") {
  Bench bench{patient()};
  bench.sink->answer(always(delivered()));
  bench.put_many(3);
  bench.run();
  REQUIRE(bench.relay->snapshot().unsettled == 3);
  SUBCASE("pause") {
    bench.relay->pause(0, true);
    bench.run();
  }
  SUBCASE("a failing sink") {
    bench.sink->refuse(down("away"));
    bench.sink->fall();
    bench.run();
  }
  SUBCASE("drain") {
    bench.relay->drain();
    CHECK_FALSE(bench.relay->drained());
    bench.run();
    CHECK(bench.relay->drained());
  }
  SUBCASE("finish") { bench.relay->finish(0ms); }
  CHECK(bench.storage->settles() == 1);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("linger: what is not a delivery is recorded at once, and the deliveries with it") {
  Bench bench{patient()};
  bench.sink->answer(always(delivered()));
  bench.put_many(2);
  bench.run();
  REQUIRE(bench.relay->snapshot().unsettled == 2);
  const std::int64_t row = bench.put();
  SUBCASE("a failure: it has an attempt to wait for") {
    bench.sink->answer(always(retry("not now")));
    bench.run();
    CHECK(bench.row(row).attempts == 1);
    CHECK(bench.storage->pending() == 1);
  }
  SUBCASE("a dead letter") {
    bench.sink->answer(always(reject("never")));
    bench.run();
    CHECK(bench.medium->dead.count(row) == 1);
    CHECK(bench.storage->pending() == 0);
  }
  SUBCASE("a failure beside others in flight, for which it waits 20 ms") {
    bench.sink->answer({});
    bench.put();
    bench.run();
    CHECK(bench.reply(row, retry("not now")));
    bench.run_for(19ms);
    CHECK(bench.row(row).attempts == 0);
    bench.run_for(1ms);
    CHECK(bench.row(row).attempts == 1);
  }
  CHECK(bench.relay->snapshot().unsettled == 0);
}

TEST_CASE("linger: a crash sends again what was not recorded, and nobody is blamed") {
  Bench bench{patient()};
  bench.sink->answer(always(delivered()));
  const Rows rows = bench.put_many(3);
  bench.run();
  REQUIRE(bench.relay->snapshot().unsettled == 3);
  bench.sent();
  bench.crash(always(delivered()));
  bench.run_for(10s);
  CHECK(bench.sent() == rows);
  // They were in flight alone, and as long as that is noted they are recorded at once.
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.medium->dead.empty());
}

TEST_CASE("linger: a message that came back is not kept under suspicion for the linger of others") {
  Bench bench{patient()};
  const Rows rows = bench.put_many(2);
  bench.run();
  CHECK(bench.reply(rows[0], delivered()));
  CHECK(bench.reply(rows[1], blocked("not allowed")));
  bench.run();
  CHECK(bench.storage->pending() == 1);
  // The note of what is in flight is empty again: after a crash nothing is suspected.
  bench.crash(always(delivered()));
  bench.run();
  CHECK(bench.sent() == Rows{rows[1]});
}
