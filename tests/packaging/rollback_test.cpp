// SPDX-License-Identifier: MIT
//
// A device with two firmware slots: what one version of satchel wrote, the other one goes on with, in both
// directions.
#include "packaging/version_1.hpp"
#include "store/schema.hpp"
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/outbox.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

namespace {

using Texts = std::vector<std::string>;

struct File {
  support::TempDir directory{support::TempDir::Where::memory};
  std::string path = directory.path() + "/device.db";
};

/// Today's library at the file; everything that is pending is delivered.
Texts deliver_all(satchel::Outbox& outbox) {
  const auto echo = std::make_shared<support::Echo>();
  outbox.attach(support::EchoSink{echo});
  for (int round = 0; round < 1000 && outbox.status().pending > 0; ++round) outbox.run_once();
  CHECK(outbox.status().pending == 0);
  return echo->payloads();
}

satchel::Options today() {
  satchel::Options options;
  options.settle_linger = std::chrono::milliseconds{0};
  return options;
}

Texts payloads(const std::vector<version_1::Row>& rows) {
  Texts all;
  for (const version_1::Row& row : rows) all.push_back(row.payload);
  return all;
}

Texts sorted(Texts texts) {
  std::sort(texts.begin(), texts.end());
  return texts;
}

std::map<std::string, std::string> definitions(SQLite::Database& database) {
  std::map<std::string, std::string> all;
  SQLite::Statement rows{database, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"};
  while (rows.executeStep()) all[rows.getColumn(0).getString()] = rows.getColumn(1).getString();
  return all;
}

/// Messages and bytes of each priority: as the triggers have counted them, and as they are.
Texts counts(SQLite::Database& database, const std::string& query) {
  Texts all;
  SQLite::Statement rows{database, query};
  while (rows.executeStep()) {
    all.push_back(rows.getColumn(0).getString() + ": " + rows.getColumn(1).getString() + ", " +
                  rows.getColumn(2).getString());
  }
  return all;
}
Texts kept_counts(SQLite::Database& database) {
  return counts(database,
                "SELECT priority, messages, bytes FROM satchel_quota WHERE messages > 0 ORDER BY 1");
}
Texts true_counts(SQLite::Database& database) {
  return counts(
      database,
      "SELECT coalesce(priority, 0) AS class, count(*), sum(length(topic) + length(payload)"
      " + coalesce(length(key), 0)) FROM satchel_message WHERE topic <> '' GROUP BY class ORDER BY 1");
}

/// One message of each kind that only a newer library knows, as it would be found in the file.
void use_what_is_newer(const std::string& path) {
  SQLite::Database database{path, SQLite::OPEN_READWRITE, 1000};
  database.exec(
      "INSERT INTO satchel_message(topic, payload, priority) VALUES ('alarm', 'urgent', 1);"
      "INSERT INTO satchel_message(topic, payload, priority, key) VALUES ('log', 'bulk', 2, 'k');"
      "INSERT INTO satchel_message(topic, payload, boot, created, delay) VALUES ('later', 'late', 1, 0, "
      "1000);"
      "INSERT INTO satchel_message(topic, payload, retry, sequence) VALUES ('own', 'limits', '{}', 7);"
      "INSERT INTO satchel_dropped(reason, topic, messages, unconfirmed) VALUES (1, 'log', 3, 1);"
      "INSERT INTO satchel_state(name, value) VALUES ('something new', 5)");
}

}  // namespace

TEST_CASE("rollback: the frozen statements make the tables that today's migrations begin with") {
  const File file;
  version_1::Library frozen{file.path};
  SQLite::Database first{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  satchel::store::apply(first, satchel::store::migrations().front());
  CHECK(definitions(frozen.database()) == definitions(first));
}

TEST_CASE("rollback: version 1 opens today's file and ends every message that is in it") {
  const File file;
  {
    satchel::Outbox outbox{file.path, today()};
    outbox.enqueue({.topic = "plain", .payload = "first"});
    outbox.enqueue({.topic = "plain", .payload = "keyed", .key = "k"});
  }
  use_what_is_newer(file.path);

  version_1::Library old{file.path};
  CHECK(old.state("schema") == satchel::store::kSchemaVersion);
  CHECK(payloads(old.claim()) == Texts{"first", "keyed", "urgent", "bulk", "late", "limits"});
  CHECK(payloads(old.claim_key("k")) == Texts{"keyed", "bulk"});
  const std::int64_t added = old.enqueue("plain", "of the old one", "k");
  CHECK(added > old.claim().front().id);
  std::int64_t newest = 0;
  for (const version_1::Row& row : old.claim()) {
    if (row.payload == "bulk") {
      old.fail(row.id, "not today");
      old.bury(row.id, "never");
    } else {
      old.deliver(row.id);
    }
    newest = row.id;
  }
  CHECK(old.claim().empty());
  // No id is given twice, and no definition was changed by the one that does not know it.
  CHECK(old.enqueue("plain", "next") == newest + 1);
  CHECK(satchel::store::schema_damage(old.database()).empty());
  CHECK(old.state("something new") == 5);
}

TEST_CASE("rollback: today's library goes on with what version 1 left in its own file") {
  const File file;
  std::int64_t newest = 0;
  {
    version_1::Library old{file.path};
    for (const char* text : {"one", "two", "three"}) newest = old.enqueue("plain", text, "k");
    old.deliver(1);
    old.fail(2, "not today");
    old.bury(3, "never");
    CHECK(payloads(old.claim()) == Texts{"two"});
  }
  satchel::Outbox outbox{file.path, today()};
  REQUIRE(outbox.dead_letters().size() == 1);
  CHECK(outbox.dead_letters().front().last_error == "never");
  CHECK(outbox.enqueue({.topic = "plain", .payload = "four"}).row == newest + 1);
  CHECK(outbox.replay_all() == 1);
  CHECK(sorted(deliver_all(outbox)) == Texts{"four", "three", "two"});
}

TEST_CASE("rollback: a file that goes from slot to slot loses nothing and repeats nothing") {
  const File file;
  Texts arrived;
  Texts sent;
  for (int round = 0; round < 6; ++round) {
    const std::string text = "round " + std::to_string(round);
    if (round % 2 == 0) {
      version_1::Library old{file.path};
      old.enqueue("plain", text + " sent at once");
      for (const version_1::Row& row : old.claim()) {
        arrived.push_back(row.payload);
        old.deliver(row.id);
      }
      old.enqueue("plain", text + " left");
      const std::int64_t dead = old.enqueue("plain", text + " dead", "k");
      old.bury(dead, "never");
      old.replay(dead);
    } else {
      satchel::Outbox outbox{file.path, today()};
      outbox.enqueue({.topic = "plain", .payload = text + " sent at once"});
      for (std::string& payload : deliver_all(outbox)) arrived.push_back(std::move(payload));
      outbox.enqueue({.topic = "plain", .payload = text + " left"});
      outbox.enqueue({.topic = "plain", .payload = text + " dead", .key = "k"});
    }
    for (const char* what : {" sent at once", " left", " dead"}) sent.push_back(text + what);
  }
  {
    satchel::Outbox outbox{file.path, today()};
    for (std::string& payload : deliver_all(outbox)) arrived.push_back(std::move(payload));
  }
  CHECK(sorted(arrived) == sorted(sent));
}

TEST_CASE("rollback: version 1 keeps the counts of Quota::exact right, of which it does not know") {
  const File file;
  satchel::Options options = today();
  options.quota.exact = true;
  options.quota.messages = 100;
  {
    satchel::Outbox outbox{file.path, options};
    for (const char* text : {"first", "second", "third"})
      outbox.enqueue({.topic = "plain", .payload = text, .key = "k"});
    outbox.enqueue({.topic = "alarm", .payload = "urgent", .priority = satchel::Priority::urgent});
    outbox.enqueue({.topic = "log", .payload = "bulk", .priority = satchel::Priority::bulk});
  }
  {
    version_1::Library old{file.path};
    CHECK(kept_counts(old.database()) == Texts{"0: 3, 34", "1: 1, 11", "2: 1, 7"});
    old.deliver(1);
    old.fail(2, "not today");
    old.bury(2, "never");
    old.enqueue("plain", "of the old one");
    // The newest row goes and leaves a tombstone, which a replay turns into a message again.
    const std::int64_t newest = old.enqueue("plain", "dead and back", "k");
    old.bury(newest, "never");
    CHECK(kept_counts(old.database()) == true_counts(old.database()));
    old.replay(newest);
    old.replay(2);
    old.deliver(4);
    CHECK(kept_counts(old.database()) == true_counts(old.database()));
  }
  satchel::Outbox outbox{file.path, options};
  CHECK(outbox.status().pending == 5);
  CHECK(outbox.status().quota_left.messages == 95U);
  CHECK(sorted(deliver_all(outbox)) == Texts{"bulk", "dead and back", "of the old one", "second", "third"});
  CHECK(outbox.status().quota_left.messages == 100U);
}

TEST_CASE("rollback: what version 1 has delivered of a file with max_free_bytes is given back afterwards") {
  const File file;
  const auto clock = std::make_shared<satchel::testing::ManualClock>();
  satchel::Options options = today();
  options.clock = clock;
  options.max_free_bytes = 64U << 10U;
  {
    satchel::Outbox outbox{file.path, options};
    auto tx = outbox.begin();
    for (int i = 0; i < 500; ++i) tx.enqueue({.topic = "plain", .payload = std::string(1000, 'x')});
    tx.commit();
  }
  version_1::Library old{file.path};
  const auto number = [&old](const char* pragma) { return old.database().execAndGet(pragma).getInt(); };
  for (const version_1::Row& row : old.claim()) old.deliver(row.id);
  old.enqueue("plain", "of the old one");
  const int full = number("PRAGMA page_count");
  CHECK(full > 100);
  CHECK(number("PRAGMA freelist_count") > 100);

  satchel::Outbox outbox{file.path, options};
  CHECK(deliver_all(outbox) == Texts{"of the old one"});
  const auto too_much = [&] { return number("PRAGMA freelist_count") * 4096 > 64 << 10; };
  for (int round = 0; round < 1000 && too_much(); ++round) {
    clock->advance(std::chrono::milliseconds{250});
    outbox.run_once();
  }
  CHECK(number("PRAGMA page_count") <= full / 2);
  CHECK_FALSE(too_much());
  CHECK(number("PRAGMA auto_vacuum") == 2);
  CHECK(old.database().execAndGet("PRAGMA integrity_check").getString() == "ok");
}

TEST_CASE("rollback: version 1 refuses a file that says it is too new, and changes nothing") {
  const File file;
  { satchel::Outbox outbox{file.path, today()}; }
  SQLite::Database database{file.path, SQLite::OPEN_READWRITE, 1000};
  database.exec("UPDATE satchel_state SET value = 2 WHERE name = 'schema_compatible'");
  const std::int64_t epoch =
      database.execAndGet("SELECT value FROM satchel_state WHERE name = 'epoch'").getInt64();
  CHECK_THROWS_WITH(version_1::Library{file.path}, "the schema is too new");
  CHECK(database.execAndGet("SELECT value FROM satchel_state WHERE name = 'epoch'").getInt64() == epoch);
}
