// SPDX-License-Identifier: MIT
#include "store/delays.hpp"
#include "fixture.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace store_test;
using namespace std::chrono_literals;
using satchel::BootTime;
using satchel::Look;

namespace {

using Rows = std::vector<std::int64_t>;

/// A store that leads, and what is delayed in it.
struct Bench {
  File file;
  std::shared_ptr<Store> store = file.open();
  Bench() { REQUIRE(store->acquire()); }

  std::int64_t now() const { return satchel::store::to_ms(file.clock->now()); }
  void insert(const std::string& boot, std::int64_t created, std::int64_t delay,
              const std::string& more = "NULL") {
    Foreign{file.path}.exec(
        "INSERT INTO satchel_message(topic, payload, boot, created, delay, priority) VALUES "
        "('t', 'x', " +
        boot + ", " + std::to_string(created) + ", " + std::to_string(delay) + ", " + more + ")");
    satchel::store::shared_file(file.path)->delayed.fetch_add(1);
  }
  Rows release(std::size_t most = 100) {
    const satchel::Released released = store->release_due(most);
    REQUIRE_FALSE(released.occupied);
    Rows rows;
    for (const auto& row : released.rows) rows.push_back(row.row);
    return rows;
  }
};

}  // namespace

TEST_CASE("delays: the first message of each boot is found by the index") {
  const File file;
  file.open();
  SQLite::Database database{file.path, SQLite::OPEN_READWRITE};
  SQLite::Statement plan{database, std::string{"EXPLAIN QUERY PLAN "} + satchel::store::Delays::head_sql()};
  std::string text;
  while (plan.executeStep()) text += plan.getColumn(3).getString() + "; ";
  CHECK(text == "SEARCH satchel_message USING INDEX satchel_message_by_delay (boot>?); ");
}

TEST_CASE(
    "delays: a message is ready when its time has passed, to the millisecond, and in the order of that") {
  Bench bench;
  const std::int64_t start = bench.now();
  bench.insert("1", start, 5000);
  bench.insert("1", start, 1000, "1");
  bench.insert("1", start + 500, 500);
  Look look = bench.store->look();
  CHECK_FALSE(look.due);
  CHECK(look.next == satchel::store::from_ms(start + 1000));
  bench.file.clock->advance(999ms);
  CHECK_FALSE(bench.store->look().due);
  CHECK(bench.release().empty());
  bench.file.clock->advance(1ms);
  CHECK(bench.store->look().due);
  CHECK(pending(*bench.store).empty());
  const satchel::Released released = bench.store->release_due(1);
  REQUIRE(released.rows.size() == 1);
  CHECK(released.rows.front().row == 2);
  CHECK(released.rows.front().topic == "t");
  CHECK(released.rows.front().priority == satchel::Priority::urgent);
  CHECK(bench.store->look().due);
  CHECK(bench.release() == Rows{3});
  look = bench.store->look();
  CHECK_FALSE(look.due);
  CHECK(look.next == satchel::store::from_ms(start + 5000));
  CHECK(pending(*bench.store) == Rows{2, 3});
  bench.file.clock->advance(1h);
  CHECK(bench.release() == Rows{1});
  look = bench.store->look();
  CHECK_FALSE(look.due);
  CHECK(Foreign{bench.file.path}.number("SELECT count(*) FROM satchel_message WHERE delay IS NOT NULL") == 0);
}

TEST_CASE("delays: messages of plain SQL wait from when they are first seen") {
  Bench bench;
  bench.insert("NULL", 0, 1000);
  bench.insert("1", bench.now(), 3000);
  Foreign{bench.file.path}.exec("UPDATE satchel_message SET created = NULL WHERE id = 2");
  CHECK(bench.store->look().due);
  CHECK(bench.release().empty());
  CHECK_FALSE(bench.store->look().due);
  bench.file.clock->advance(999ms);
  CHECK(bench.release().empty());
  bench.file.clock->advance(1ms);
  CHECK(bench.release() == Rows{1});
  bench.file.clock->advance(2s);
  CHECK(bench.release() == Rows{2});
}

TEST_CASE("delays: of an earlier boot without a clock only the time since this boot counts") {
  Bench bench;
  const std::int64_t now = bench.now();
  bench.insert("7", 1'000'000'000, now + 60'000);
  const Look look = bench.store->look();
  CHECK_FALSE(look.due);
  CHECK(look.next == satchel::store::from_ms(now + 60'000));
  bench.file.clock->advance(59'999ms);
  CHECK(bench.release().empty());
  bench.file.clock->advance(1ms);
  CHECK(bench.store->look().due);
  CHECK(bench.release() == Rows{1});
}

TEST_CASE("delays: once the wall clock is trusted the time that the device was off counts, too") {
  Bench bench;
  Foreign{bench.file.path}.exec("INSERT INTO satchel_boot(boot, boot_id, wall_offset) VALUES (7, 'x', 1000)");
  bench.insert("7", 0, 24 * 3'600'000);
  const Look look = bench.store->look();
  CHECK_FALSE(look.due);
  // Nobody tells when it can be trusted.
  CHECK(look.next == bench.file.clock->now() + 1min);
  CHECK(bench.release().empty());
  // One day, less a second, after the enqueue.
  bench.file.clock->set_wall(satchel::WallTime{std::chrono::milliseconds{1000 + 24 * 3'600'000 - 1000}},
                             true);
  bench.store->maintain();
  CHECK_FALSE(bench.store->look().due);
  CHECK(bench.store->look().next == bench.file.clock->now() + 1s);
  bench.file.clock->advance(1s);
  CHECK(bench.store->look().due);
  // A clock that is not trusted any more makes nothing come early.
  bench.file.clock->set_wall(satchel::WallTime{}, false);
  CHECK_FALSE(bench.store->look().due);
  CHECK(bench.release().empty());
  bench.file.clock->set_wall(satchel::WallTime{}, true);
  CHECK(bench.release() == Rows{1});
}

TEST_CASE("delays: numbers at the ends of their range neither stall nor overflow") {
  Bench bench;
  bench.insert("9223372036854775807", INT64_MAX, INT64_MAX);
  bench.insert("-9223372036854775807 - 1", 0, 0);
  bench.insert("1", bench.now(), -5);
  bench.insert("1", bench.now(), INT64_MAX);
  CHECK(bench.store->look().due);
  CHECK(bench.release() == Rows{2, 3});
  const Look look = bench.store->look();
  CHECK_FALSE(look.due);
  CHECK(look.next > bench.file.clock->now());
  CHECK(bench.release().empty());
}

TEST_CASE(
    "delays: nothing is released while a transaction of the application is open, and the turn comes after "
    "it") {
  Bench bench;
  bench.insert("1", bench.now(), 0);
  bool woken = false;
  bench.store->on_change([&] { woken = true; });
  {
    const auto writing = bench.store->begin();
    CHECK(bench.store->release_due(10).occupied);
    woken = false;
  }
  CHECK(woken);
  CHECK(bench.release() == Rows{1});
  bench.store->on_change([] {});
}

TEST_CASE("delays: a message that is gone when its time comes does not hide the next one") {
  Bench bench;
  bench.insert("1", bench.now(), 10'000);
  bench.insert("1", bench.now(), 20'000);
  const satchel::BootTime start = bench.file.clock->now();
  CHECK(bench.store->look().next == start + 10s);
  {
    const auto writing = bench.store->begin();
    writing->database().exec("DELETE FROM satchel_message WHERE delay = 10000");
    writing->commit();
  }
  bench.file.clock->advance(10s);
  const Look look = bench.store->look();
  CHECK_FALSE(look.due);
  CHECK(look.next == start + 20s);
}

TEST_CASE("delays: a relay that has lost the file releases nothing") {
  Bench bench;
  bench.insert("1", bench.now(), 0);
  Foreign{bench.file.path}.exec("UPDATE satchel_state SET value = value + 1 WHERE name = 'epoch'");
  CHECK_THROWS_AS(bench.store->release_due(10), satchel::ClaimLost);
  CHECK(Foreign{bench.file.path}.number("SELECT delay FROM satchel_message") == 0);
}
