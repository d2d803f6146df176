// SPDX-License-Identifier: MIT
#include "unit/outbox/fixture.hpp"

#include "support/echo_sink.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

using outbox_test::Fixture;
using satchel::Outbox;
using satchel::Transaction;
using satchel::UsageError;

}  // namespace

TEST_CASE(
    "outbox: a transaction that a full file has ended inside SQLite lets others write after its rollback") {
  satchel::Options options;
  options.max_file_bytes = 128U << 10U;
  Fixture fixture{options};
  Transaction tx = fixture.outbox.begin();
  tx.enqueue({.topic = "t"});
  const std::string large(5000, 'x');
  CHECK_THROWS_AS(
      {
        for (;;) tx.execute("INSERT INTO reading(text) VALUES (?)", large);
      },
      satchel::FullError);
  CHECK_FALSE(tx.open());
  SUBCASE("rolled back") { tx.rollback(); }
  SUBCASE("its commit fails") { CHECK_THROWS_AS(tx.commit(), UsageError); }
  fixture.outbox.enqueue({.topic = "t"});
  CHECK(std::async(std::launch::async, [&] { return fixture.readings(); }).get() == 0);
  CHECK(fixture.outbox.status().pending == 1);
}

TEST_CASE("outbox: the log of an attached file is not taken for the outbox's own") {
  satchel::Options options;
  options.checkpoint_bytes = 64U << 10U;
  options.max_wal_bytes = 256U << 10U;
  Fixture fixture{options};
  const std::string path = fixture.directory.path() + "/other.db";
  SQLite::Database other{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  other.exec("PRAGMA journal_mode = WAL; CREATE TABLE item(number INTEGER)");
  const std::string payload(4000, 'x');
  std::uint64_t most = 0;
  for (int number = 0; number < 500; ++number) {
    Transaction tx = fixture.outbox.begin();
    if (number == 0) tx.execute("ATTACH ? AS other", path);
    tx.execute("INSERT INTO other.item VALUES (?)", number);
    tx.enqueue({.topic = "t", .payload = payload});
    tx.commit();
    other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    most = std::max(most, fixture.outbox.status().wal_bytes);
  }
  CHECK(most < options.max_wal_bytes + options.checkpoint_bytes);
}

TEST_CASE("outbox: a function of SQL that calls the outbox from within an enqueue is refused") {
  Fixture fixture;
  std::string problem;
  {
    Transaction tx = fixture.outbox.begin();
    struct Calls {
      Outbox& outbox;
      std::string& problem;
    };
    static std::optional<Calls> calls;
    calls.emplace(Calls{fixture.outbox, problem});
    const auto call = [](sqlite3_context* context, int, sqlite3_value**) {
      try {
        calls->outbox.enqueue({.topic = "inner"});
      } catch (const UsageError& error) {
        calls->problem = error.problem();
      }
      sqlite3_result_null(context);
    };
    sqlite3_create_function(tx.database().getHandle(), "call_it", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, nullptr,
                            call, nullptr, nullptr);
    tx.execute(
        "CREATE TRIGGER calls AFTER INSERT ON satchel_message WHEN NEW.topic = 'outer' BEGIN"
        " SELECT call_it(); END");
    tx.commit();
  }
  fixture.outbox.enqueue({.topic = "outer"});
  CHECK(problem == "called from within an enqueue");
  CHECK(fixture.outbox.status().pending == 1);
}

TEST_CASE("outbox: a temporary table of the application's with a name of satchel's is left alone") {
  satchel::Options options;
  // Acknowledgements ride in the commits to come.
  options.settle_linger = std::chrono::minutes{1};
  Fixture fixture{options};
  const auto echo = std::make_shared<support::Echo>();
  fixture.outbox.attach(support::EchoSink{echo});
  {
    Transaction tx = fixture.outbox.begin();
    tx.execute("CREATE TEMP TABLE satchel_message(id INTEGER PRIMARY KEY, topic TEXT)");
    tx.execute("INSERT INTO temp.satchel_message VALUES (1, 'mine')");
    tx.commit();
  }
  fixture.outbox.start();
  for (std::size_t number = 1; number <= 20; ++number) {
    fixture.outbox.enqueue({.topic = "t", .payload = std::to_string(number)});
    REQUIRE(echo->wait_for(number));
  }
  CHECK(fixture.outbox.stop(std::chrono::seconds{10}));
  CHECK(echo->payloads().size() == 20);
  CHECK(fixture.outbox.status().pending == 0);
  Transaction tx = fixture.outbox.begin();
  CHECK(tx.database().execAndGet("SELECT topic FROM temp.satchel_message").getString() == "mine");
}
