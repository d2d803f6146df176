// SPDX-License-Identifier: MIT
#include "support/fault_vfs.hpp"
#include "unit/event/events.hpp"

#include <satchel/aggregate.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>

namespace satchel {

namespace {

class Line : public Aggregate {
 public:
  explicit Line(std::string name) : name_{std::move(name)} {}
  void overheat(double celsius) {
    record(Overheated{.line = name_, .celsius = celsius});
    record(LineStopped{.line = name_, .shift = 1, .celsius = celsius});
  }
  void cool() { record(Cooled{.line = name_}); }

 private:
  std::string name_;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("aggregate: what it recorded is published at commit, in order") {
  EventBench bench;
  bench.outbox.subscribe<Overheated>(
      [](const Overheated& event, Transaction& tx) { EventBench::log(tx, "overheated " + event.line); });
  bench.outbox.subscribe<Cooled>(
      [](const Cooled& event, Transaction& tx) { EventBench::log(tx, "cooled " + event.line); });
  Line first{"a"};
  Line second{"b"};
  first.overheat(120);
  Transaction tx = bench.outbox.begin();
  tx.collect(first);
  tx.collect(second);
  tx.collect(first);
  first.cool();
  second.cool();
  EventBench::log(tx, "work");
  CHECK(first.recorded() == 3);
  tx.commit();
  CHECK(first.recorded() == 0);
  CHECK(bench.logged() == Lines{"work", "overheated a", "cooled a", "cooled b"});
  CHECK(bench.deliveries().size() == 1);
}

TEST_CASE("aggregate: a rollback publishes nothing and keeps what was recorded") {
  EventBench bench;
  Line line{"a"};
  line.overheat(120);
  {
    Transaction tx = bench.outbox.begin();
    tx.collect(line);
  }
  CHECK(line.recorded() == 2);
  CHECK(bench.deliveries().empty());
}

TEST_CASE("aggregate: a handler that throws at commit undoes everything") {
  EventBench bench;
  bench.outbox.subscribe<Overheated>([](const Overheated&) { throw std::runtime_error{"no coolant"}; });
  Line line{"a"};
  line.overheat(120);
  Transaction tx = bench.outbox.begin();
  EventBench::log(tx, "work");
  tx.collect(line);
  CHECK_THROWS_WITH_AS(tx.commit(), "no coolant", std::runtime_error);
  CHECK_FALSE(tx.open());
  CHECK(bench.logged().empty());
  CHECK(bench.deliveries().empty());
  CHECK(line.recorded() == 2);
}

TEST_CASE("aggregate: what a failed commit has published is published again by the next one") {
  EventBench bench;
  bool coolant = false;
  bench.outbox.subscribe<Cooled>([&](const Cooled&) {
    if (!coolant) throw std::runtime_error{"no coolant"};
  });
  Line line{"a"};
  line.overheat(120);
  line.cool();
  const auto commit = [&] {
    Transaction tx = bench.outbox.begin();
    EventBench::log(tx, "work");
    tx.collect(line);
    tx.commit();
  };
  SUBCASE("a handler threw") {
    CHECK_THROWS_AS(commit(), std::runtime_error);
    CHECK(line.recorded() == 3);
    coolant = true;
    commit();
    CHECK(line.recorded() == 0);
    CHECK(bench.logged() == Lines{"work"});
    CHECK(bench.deliveries().size() == 1);
  }
  SUBCASE("the change is given up") {
    CHECK_THROWS_AS(commit(), std::runtime_error);
    line.forget_recorded();
    commit();
    CHECK(bench.logged() == Lines{"work"});
    CHECK(bench.deliveries().empty());
  }
}

TEST_CASE("aggregate: a commit that the disk refuses takes nothing from it") {
  support::FaultVfs faults;
  Options options;
  options.vfs = faults.name();
  EventBench bench{options};
  Line line{"a"};
  line.overheat(120);
  const auto commit = [&] {
    Transaction tx = bench.outbox.begin();
    tx.collect(line);
    tx.commit();
  };
  faults.fail(support::FileOp::write, support::FileKind::log, SQLITE_FULL);
  CHECK_THROWS_AS(commit(), FullError);
  CHECK(line.recorded() == 2);
  commit();
  CHECK(line.recorded() == 0);
  CHECK(bench.deliveries().size() == 1);
}

TEST_CASE("aggregate: a handler that moves the transaction away ends its commit") {
  EventBench bench;
  Transaction tx = bench.outbox.begin();
  std::optional<Transaction> thief;
  bench.outbox.subscribe<Overheated>([&](const Overheated&) { thief.emplace(std::move(tx)); });
  Line line{"a"};
  line.overheat(120);
  tx.collect(line);
  CHECK_THROWS_AS(tx.commit(), UsageError);
  thief.reset();
  CHECK(line.recorded() == 2);
  CHECK(bench.deliveries().empty());
}

TEST_CASE("aggregate: handlers may make it record more, but not without end") {
  Options options;
  options.max_event_depth = 4;
  EventBench bench{options};
  Line line{"a"};
  int left = 4;
  bench.outbox.subscribe<Cooled>([&](const Cooled&) {
    if (left-- > 0) line.cool();
  });
  line.cool();
  Transaction tx = bench.outbox.begin();
  tx.collect(line);
  CHECK_THROWS_AS(tx.commit(), UsageError);
  CHECK_FALSE(tx.open());
  CHECK(line.recorded() == 5);

  line.forget_recorded();
  left = 3;
  Transaction again = bench.outbox.begin();
  again.collect(line);
  line.cool();
  again.commit();
  CHECK(left == -1);
  CHECK(line.recorded() == 0);
}

TEST_CASE("aggregate: it may end, move and be copied before its transaction commits") {
  EventBench bench;
  Transaction tx = bench.outbox.begin();
  {
    Line line{"a"};
    tx.collect(line);
    line.overheat(1);
    Line copy{line};
    CHECK(copy.recorded() == 0);
    Line moved{std::move(line)};
    CHECK(moved.recorded() == 2);
    moved.overheat(2);
  }
  tx.commit();
  CHECK(bench.deliveries().size() == 2);
}

}  // namespace satchel
