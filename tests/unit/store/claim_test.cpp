// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/claim_sql.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

using namespace store_test;
using satchel::store::claim_sql;
using satchel::store::ClaimShape;
using By = satchel::store::ClaimShape::By;
using std::chrono::milliseconds;

namespace {

std::string plan(SQLite::Database& database, const std::string& sql) {
  SQLite::Statement explain{database, "EXPLAIN QUERY PLAN " + sql};
  std::string text;
  while (explain.executeStep()) text += explain.getColumn(3).getString() + "; ";
  return text;
}

StoredMessage only(Store& store) {
  const auto messages = store.claim({}).messages;
  REQUIRE(messages.size() == 1);
  return messages.front();
}

}  // namespace

TEST_CASE("claim: the plain query goes down the rowid, the others down their index, nothing is sorted") {
  const File file;
  const auto store = file.open();
  SQLite::Database database{file.path, SQLite::OPEN_READWRITE};
  const auto plan_of = [&](const ClaimShape& shape) { return plan(database, claim_sql(shape)); };
  CHECK(plan_of({By::row_order}) == "SEARCH m USING INTEGER PRIMARY KEY (rowid>?); ");
  CHECK(plan_of({By::row_order, true}) == "SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?); ");
  CHECK(plan_of({By::key}) == "SEARCH m USING INDEX satchel_message_by_key (key=? AND id>?); ");
  CHECK(plan_of({By::priority}) ==
        "SEARCH m USING INDEX satchel_message_by_priority (priority=? AND id>?); ");
  CHECK(plan_of({By::priority, true}) ==
        "SEARCH m USING INDEX satchel_message_by_priority (priority=? AND id>? AND id<?); ");
  CHECK(plan_of({By::row}) == "SEARCH m USING INTEGER PRIMARY KEY (rowid=?); ");
  for (const auto by : {By::row_order, By::priority, By::key, By::row}) {
    for (const bool down : {false, true}) {
      const std::string joined = plan_of({by, down, true});
      CAPTURE(joined);
      CHECK(joined.find("TEMP B-TREE") == std::string::npos);
      CHECK(joined.find("SCAN") == std::string::npos);
      CHECK(joined.find("SEARCH a USING INTEGER PRIMARY KEY") != std::string::npos);
    }
  }
}

TEST_CASE("claim: no index is kept for a plain message") {
  const File file;
  const auto store = file.open();
  store->save(message());
  store->save(message("x", "k"));
  Foreign foreign{file.path};
  CHECK(foreign.number(
            "SELECT count(*) FROM satchel_message INDEXED BY satchel_message_by_key WHERE key IS NOT NULL") ==
        1);
  CHECK(foreign.number("SELECT count(*) FROM satchel_message INDEXED BY satchel_message_by_priority WHERE "
                       "priority IS NOT NULL") == 0);
  CHECK(foreign.number(
            "SELECT count(*) FROM satchel_message INDEXED BY satchel_message_by_delay WHERE delay IS NOT "
            "NULL") == 0);
  CHECK(foreign.number("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = "
                       "'satchel_message' AND sql LIKE '%WHERE % IS NOT NULL'") == 3);
  CHECK(foreign.number(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'satchel_message'") == 3);
}

TEST_CASE("claim: no read stays open, so that a checkpoint can always finish") {
  const File file;
  const auto store = file.open();
  for (int i = 0; i < 10; ++i) store->save(message());
  satchel::ClaimQuery few;
  few.max_count = 3;
  CHECK(store->claim(few).messages.size() == 3);
  SQLite::Database database{file.path, SQLite::OPEN_READWRITE};
  SQLite::Statement checkpoint{database, "PRAGMA wal_checkpoint(TRUNCATE)"};
  REQUIRE(checkpoint.executeStep());
  CHECK(checkpoint.getColumn(0).getInt() == 0);
}

TEST_CASE("claim: a plain INSERT of topic and payload is a message, text and blob alike") {
  File file;
  file.options.external_writers = true;
  const auto store = file.open();
  Foreign foreign{file.path};
  foreign.exec(
      "INSERT INTO satchel_message(topic, payload) VALUES ('a/b', '71.5'), ('a/c', x'00ff'), ('a/d', '')");
  foreign.exec("CREATE TABLE reading(celsius REAL)");
  foreign.exec(
      "CREATE TRIGGER send AFTER INSERT ON reading BEGIN"
      " INSERT INTO satchel_message(topic, payload) VALUES ('reading', CAST(NEW.celsius AS TEXT)); END");
  foreign.exec("INSERT INTO reading VALUES (21.5)");
  const auto messages = store->claim({}).messages;
  REQUIRE(messages.size() == 4);
  CHECK(messages[0].payload == "71.5");
  CHECK(messages[1].payload == std::string{"\0\xff", 2});
  CHECK(messages[2].payload.empty());
  CHECK(messages[3].topic == "reading");
  CHECK(messages[3].payload == "21.5");
  for (const auto& one : messages) {
    CHECK(one.damage.empty());
    CHECK_FALSE(one.remaining);
    CHECK(one.id.identity == store->identity());
  }
}

TEST_CASE("claim: the table refuses rows that are no message and ids out of range") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  for (const char* row : {"(NULL, 'x')", "('a', NULL)", "('a', 1)", "('a', 1.5)", "('', 'x')"}) {
    CAPTURE(row);
    CHECK_THROWS(foreign.exec(std::string{"INSERT INTO satchel_message(topic, payload) VALUES "} + row));
  }
  CHECK_THROWS(foreign.exec("INSERT INTO satchel_message(id, topic, payload) VALUES (0, 'a', 'x')"));
  CHECK_THROWS(
      foreign.exec("INSERT INTO satchel_message(id, topic, payload) VALUES (4503599627370496, 'a', 'x')"));
  CHECK_THROWS(foreign.exec("INSERT INTO satchel_message(topic, key) VALUES ('', 'k')"));
  CHECK(pending(*store).empty());
}

TEST_CASE("claim: a row that cannot be read as a message is told, with the reason") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  foreign.exec("INSERT INTO satchel_message(topic, payload) VALUES ('a/#', 'x')");
  foreign.exec("INSERT INTO satchel_message(topic, payload, headers) VALUES ('a', 'x', '{\"broken\"')");
  foreign.exec("INSERT INTO satchel_message(topic, payload, key) VALUES ('a', 'x', CAST(x'ff' AS TEXT))");
  foreign.exec("INSERT INTO satchel_message(topic, payload) VALUES (CAST(x'80' AS TEXT), 'x')");
  foreign.exec(
      "INSERT INTO satchel_message(topic, payload, content_type) VALUES ('a', 'x', CAST(x'ff' AS TEXT))");
  foreign.exec("INSERT INTO satchel_message(topic, payload, headers) VALUES ('a/#', 'x', '{')");
  foreign.exec("INSERT INTO satchel_message(topic, payload, headers) VALUES ('a', 'x', '{\"n\":\"1\"}')");
  const auto messages = store->claim({}).messages;
  REQUIRE(messages.size() == 7);
  for (std::size_t i = 0; i < 6; ++i) {
    CAPTURE(i);
    CHECK_FALSE(messages[i].damage.empty());
  }
  CHECK(messages[4].damage.find("content type") != std::string::npos);
  CHECK(messages[5].damage == messages[0].damage);
  CHECK(messages[6].damage.empty());
  CHECK(messages[6].headers == std::vector<satchel::Header>{{"n", "1"}});
}

TEST_CASE("claim: created is dated once the clock is trusted, without a change of any message row") {
  const File file;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  CHECK_FALSE(only(*store).created);
  file.clock->advance(milliseconds{5000});
  const satchel::WallTime now{milliseconds{1'790'000'000'000}};
  file.clock->set_wall(now, true);
  CHECK(only(*store).created == now - milliseconds{5000});
  store->maintain();
  CHECK(only(*store).created == now - milliseconds{5000});
  // Written once: a later step of the clock moves nothing.
  file.clock->set_wall(now + std::chrono::hours{24}, true);
  store->maintain();
  CHECK(only(*store).created == now - milliseconds{5000});
}

TEST_CASE("claim: time switched off counts towards expiry only by a trusted clock") {
  File file;
  const satchel::WallTime start{milliseconds{1'790'000'000'000}};
  file.clock->set_wall(start, true);
  Message short_lived = message();
  short_lived.expires_after = milliseconds{60'000};
  file.open()->save(short_lived);
  file.clock->reboot("00000000-0000-4000-8000-000000000002", satchel::BootTime{milliseconds{1000}});
  file.clock->set_wall(start, false);
  auto store = file.open();
  CHECK(only(*store).remaining == milliseconds{59'000});
  file.clock->set_wall(start + milliseconds{30'000}, true);
  REQUIRE(store->acquire());
  CHECK(only(*store).remaining == milliseconds{30'000});
  CHECK(only(*store).created == start);
}

TEST_CASE("claim: the age of a plain INSERT starts when it is first seen") {
  const File file;
  const auto store = file.open();
  Foreign{file.path}.exec("INSERT INTO satchel_message(topic, payload, ttl) VALUES ('a', 'x', 10000)");
  file.clock->advance(milliseconds{50'000});
  CHECK(only(*store).remaining == milliseconds{10'000});
  file.clock->advance(milliseconds{4'000});
  CHECK(only(*store).remaining == milliseconds{6'000});
}

TEST_CASE(
    "claim: of plain INSERTs with a time to live ten thousand ages are kept, of more the oldest start anew") {
  const File file;
  const auto store = file.open();
  Foreign{file.path}.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)"
      " INSERT INTO satchel_message(topic, payload, ttl) SELECT 'a', 'x', 60000 FROM n");
  satchel::ClaimQuery query;
  query.max_count = 20'000;
  query.max_rows = 100'000;
  REQUIRE(store->claim(query).messages.size() == 10'001);
  file.clock->advance(milliseconds{1000});
  const auto messages = store->claim(query).messages;
  REQUIRE(messages.size() == 10'001);
  CHECK(messages.front().remaining == milliseconds{60'000});
  CHECK(messages.back().remaining == milliseconds{59'000});
}

TEST_CASE("claim: a due time counts in the same boot only") {
  File file;
  {
    const auto store = file.open();
    store->save(message());
    REQUIRE(store->acquire());
    satchel::Settlement settlement;
    settlement.failures.push_back(
        {1, 1, false, file.clock->now() + std::chrono::hours{5}, milliseconds{7}, "no"});
    REQUIRE(store->settle(settlement));
    CHECK(only(*store).due.has_value());
  }
  file.clock->reboot("00000000-0000-4000-8000-000000000002");
  const auto store = file.open();
  CHECK_FALSE(only(*store).due);
  CHECK(only(*store).attempts == 1);
  CHECK(only(*store).aged == milliseconds{7});
}

TEST_CASE("claim: the number of boots that a file remembers is bounded") {
  const File file;
  for (int boot = 0; boot < 1100; ++boot) {
    if (boot % 100 == 0) file.open();
    Foreign foreign{file.path};
    for (int i = 0; i < 100; ++i, ++boot) {
      foreign.exec("INSERT INTO satchel_boot(boot_id) VALUES ('boot " + std::to_string(boot) + "')");
    }
    --boot;
  }
  file.clock->reboot("00000000-0000-4000-8000-000000000009");
  file.open();
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_boot") <= 1000);
}

TEST_CASE("claim: a table that is emptied again and again holds one tombstone, not one for each time") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  Foreign foreign{file.path};
  for (std::int64_t row = 1; row <= 50; ++row) {
    CHECK(store->save(message()).row == row);
    // As a relay reads: on behind what it has read.
    satchel::ClaimQuery query;
    query.after = row - 1;
    REQUIRE(store->claim(query).messages.size() == 1);
    CHECK(store->settle(delivered({row})));
    CHECK(foreign.number("SELECT count(*) FROM satchel_message") == 1);
  }
}
