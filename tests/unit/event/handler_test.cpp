// SPDX-License-Identifier: MIT
#include "unit/event/events.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>

namespace satchel {

namespace {

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("handler: handlers run at once, in the order of their subscription, in the transaction") {
  EventBench bench;
  bench.outbox.subscribe<Overheated>(
      [](const Overheated& event, Transaction& tx) { EventBench::log(tx, "1 " + event.line); });
  bench.outbox.subscribe<Overheated>(
      [](const Overheated& event, Transaction& tx) { EventBench::log(tx, "2 " + event.line); });
  int calls = 0;
  bench.outbox.subscribe<Overheated>([&calls](const Overheated&) { ++calls; });
  bench.outbox.subscribe<Cooled>([&calls](const Cooled&) { calls += 100; });
  {
    Transaction tx = bench.outbox.begin();
    tx.publish(Overheated{.line = "rolled back"});
    CHECK(calls == 1);
  }
  Transaction tx = bench.outbox.begin();
  tx.publish(Overheated{.line = "a"});
  EventBench::log(tx, "3");
  tx.commit();
  CHECK(bench.logged() == Lines{"1 a", "2 a", "3"});
  CHECK(calls == 2);
  CHECK(bench.deliveries().empty());
}

TEST_CASE("handler: an event without handlers is nobody's business") {
  EventBench bench;
  Transaction tx = bench.outbox.begin();
  tx.publish(Cooled{.line = "a"});
  EventBench::log(tx, "row");
  tx.commit();
  CHECK(bench.logged() == Lines{"row"});
}

TEST_CASE("handler: one that throws reaches the publisher and nothing of the transaction can commit") {
  EventBench bench;
  bool later = false;
  bench.outbox.subscribe<Overheated>([](const Overheated&, Transaction& tx) {
    EventBench::log(tx, "half");
    throw std::runtime_error{"no coolant"};
  });
  bench.outbox.subscribe<Overheated>([&later](const Overheated&) { later = true; });

  Transaction tx = bench.outbox.begin();
  EventBench::log(tx, "before");
  tx.publish(Heartbeat{.count = 1});
  CHECK_THROWS_WITH_AS(tx.publish(Overheated{.line = "a"}), "no coolant", std::runtime_error);
  CHECK_FALSE(later);
  CHECK(tx.open());
  CHECK_THROWS_AS(tx.enqueue({.topic = "t"}), UsageError);
  CHECK_THROWS_AS(EventBench::log(tx, "after"), UsageError);
  CHECK_THROWS_AS(tx.publish(Heartbeat{.count = 2}), UsageError);
  CHECK_THROWS_WITH_AS(
      tx.commit(),
      "commit: a handler of 'overheated' failed: no coolant (roll back and begin a new transaction)",
      UsageError);
  CHECK_FALSE(tx.open());
  CHECK(bench.logged().empty());
  CHECK(bench.deliveries().empty());
}

TEST_CASE("handler: a handler that swallows what another one threw does not save the transaction") {
  EventBench bench;
  bench.outbox.subscribe<Cooled>([](const Cooled&) { throw 1; });
  bench.outbox.subscribe<Overheated>(
      [](const Overheated&, Transaction& tx) { CHECK_THROWS_AS(tx.publish(Cooled{}), int); });
  Transaction tx = bench.outbox.begin();
  tx.publish(Overheated{});
  CHECK_THROWS_WITH_AS(
      tx.commit(),
      "commit: a handler of 'cooled' failed: an exception that is no std::exception (roll back "
      "and begin a new transaction)",
      UsageError);
}

TEST_CASE("handler: handlers publish more, which commits with the rest") {
  EventBench bench;
  bench.outbox.subscribe<Overheated>([](const Overheated& event, Transaction& tx) {
    tx.publish(LineStopped{.line = event.line, .shift = 1, .celsius = event.celsius});
    tx.publish(Cooled{.line = event.line});
    EventBench::log(tx, "overheated done");
  });
  bench.outbox.subscribe<Cooled>([](const Cooled&, Transaction& tx) { EventBench::log(tx, "cooled"); });
  Transaction tx = bench.outbox.begin();
  tx.publish(Overheated{.line = "a", .celsius = 120});
  tx.commit();
  CHECK(bench.logged() == Lines{"cooled", "overheated done"});
  REQUIRE(bench.deliveries().size() == 1);
  CHECK(bench.deliveries()[0].topic == "plant/a/stopped");
}

TEST_CASE("handler: events that cause one another in a circle end at the depth limit") {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, std::size_t{16}}) {
    Options options;
    options.max_event_depth = limit;
    EventBench bench{options};
    std::size_t calls = 0;
    std::size_t until = limit;
    bench.outbox.subscribe<Overheated>([&](const Overheated&, Transaction& tx) {
      if (++calls < until) tx.publish(Overheated{});
    });
    Transaction allowed = bench.outbox.begin();
    allowed.publish(Overheated{});
    allowed.commit();
    CHECK(calls == limit);

    calls = 0;
    until = limit + 1;
    Transaction tx = bench.outbox.begin();
    CHECK_THROWS_AS(tx.publish(Overheated{}), UsageError);
    CHECK(calls == limit);
    CHECK_THROWS_AS(tx.commit(), UsageError);
  }
}

TEST_CASE("handler: commit and rollback belong to who began the transaction") {
  EventBench bench;
  bool commit = true;
  bench.outbox.subscribe<Overheated>([&commit](const Overheated&, Transaction& tx) {
    EventBench::log(tx, "row");
    if (commit) {
      tx.commit();
    } else {
      tx.rollback();
    }
  });
  {
    Transaction tx = bench.outbox.begin();
    CHECK_THROWS_WITH_AS(tx.publish(Overheated{}),
                         "commit: called from a handler of an event (leave it to who began the transaction)",
                         UsageError);
    CHECK(tx.open());
  }
  commit = false;
  {
    Transaction tx = bench.outbox.begin();
    CHECK_THROWS_AS(tx.publish(Overheated{}), UsageError);
    CHECK_FALSE(tx.open());
  }
  CHECK(bench.logged().empty());
}

TEST_CASE("handler: a handler may even take the transaction away, without harm") {
  EventBench bench;
  bench.outbox.subscribe<Overheated>(
      [](const Overheated&, Transaction& tx) { const Transaction thief{std::move(tx)}; });
  bench.outbox.subscribe<Overheated>(
      [](const Overheated&, Transaction&) { FAIL("called without a transaction"); });
  Transaction tx = bench.outbox.begin();
  CHECK_THROWS_AS(tx.publish(Overheated{}), UsageError);
  CHECK_THROWS_AS(tx.commit(), UsageError);
  CHECK(bench.logged().empty());
}

TEST_CASE("handler: published on the outbox, a domain event gets a transaction of its own or the open one") {
  EventBench bench;
  bool fail = false;
  bench.outbox.subscribe<Overheated>([&fail](const Overheated& event, Transaction& tx) {
    EventBench::log(tx, event.line);
    if (fail) throw std::runtime_error{"no"};
  });
  bench.outbox.publish(Overheated{.line = "own"});
  {
    Transaction tx = bench.outbox.begin();
    bench.outbox.publish(Overheated{.line = "joined"});
  }
  CHECK(bench.logged() == Lines{"own"});
  fail = true;
  CHECK_THROWS_AS(bench.outbox.publish(Overheated{.line = "failed"}), std::runtime_error);
  CHECK(bench.logged() == Lines{"own"});
}

TEST_CASE("handler: a handler that is added by a handler is not called for the event at hand") {
  EventBench bench;
  int added = 0;
  bench.outbox.subscribe<Overheated>([&](const Overheated&) {
    bench.outbox.subscribe<Overheated>([&added](const Overheated&) { ++added; });
  });
  bench.outbox.publish(Overheated{});
  CHECK(added == 0);
  bench.outbox.publish(Overheated{});
  CHECK(added == 1);
}

TEST_CASE("handler: a transaction that outlives its outbox still has its handlers") {
  EventBench bench;
  int calls = 0;
  auto outbox = std::make_unique<Outbox>(bench.directory.path() + "/other.db");
  outbox->subscribe<Overheated>([&calls](const Overheated&) { ++calls; });
  Transaction tx = outbox->begin();
  outbox.reset();
  tx.publish(Overheated{});
  tx.commit();
  CHECK(calls == 1);
}

}  // namespace satchel
