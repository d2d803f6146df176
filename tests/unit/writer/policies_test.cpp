// SPDX-License-Identifier: MIT
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include <string>

using namespace std::chrono_literals;
using satchel::Message;
using satchel::Outbox;
using satchel::Priority;
using satchel::Writer;
using satchel::WriterOptions;

namespace {

struct Fixture {
  support::TempDir directory;
  std::string path = directory.path() + "/device.db";
  Outbox outbox{path};
  SQLite::Database database{path, SQLite::OPEN_READWRITE, 5000};

  Fixture() { database.exec("PRAGMA wal_autocheckpoint = 0"); }
  std::string text(const std::string& sql) { return database.execAndGet(sql).getString(); }
};

Message last_value(const std::string& payload) {
  Message made;
  made.topic = "t/x";
  made.payload = payload;
  made.key = "k";
  made.coalesce = true;
  return made;
}

}  // namespace

TEST_CASE("writer: priority, delay and retry policy of a message, and the rules of its topic, are kept") {
  Fixture fixture;
  WriterOptions options;
  options.topics = {{.filter = "t/#", .priority = Priority::bulk}};
  Writer writer{fixture.database, options};
  Message message = last_value("1");
  message.coalesce = false;
  message.not_before = 1500ms;
  message.retry.emplace();
  message.retry->max_attempts = 3;
  writer.enqueue(message);
  CHECK(fixture.text("SELECT priority || ' ' || delay || ' ' || retry FROM satchel_message") == "2 1500 n3");
}

TEST_CASE("writer: a message takes the place of those of its key, until the application rolls back") {
  Fixture fixture;
  WriterOptions options;
  options.announce_topic = "drops";
  Writer writer{fixture.database, options};
  writer.enqueue(last_value("1"));
  fixture.database.exec("BEGIN IMMEDIATE");
  writer.enqueue(last_value("2"));
  CHECK(fixture.text("SELECT group_concat(payload, ' ') FROM satchel_message WHERE topic = 't/x'") == "2");
  CHECK(fixture.text("SELECT count(*) FROM satchel_message WHERE topic = 'drops'") == "1");
  fixture.database.exec("ROLLBACK");
  CHECK(fixture.text("SELECT group_concat(payload, ' ') FROM satchel_message") == "1");
  CHECK(fixture.outbox.dropped().empty());
  writer.enqueue(last_value("3"));
  CHECK(fixture.text("SELECT group_concat(payload, ' ') FROM satchel_message WHERE topic = 't/x'") == "3");
  REQUIRE(fixture.outbox.dropped().size() == 1);
  CHECK(fixture.outbox.dropped().front().messages == 1);
}

TEST_CASE("writer: a quota rejects what does not fit and leaves the transaction to the application") {
  Fixture fixture;
  WriterOptions options;
  options.quota.messages = 2;
  Writer writer{fixture.database, options};
  Message plain = last_value("x");
  plain.coalesce = false;
  fixture.database.exec("BEGIN IMMEDIATE");
  writer.enqueue(plain);
  writer.enqueue(plain);
  CHECK_THROWS_AS(writer.enqueue(plain), satchel::QuotaExceeded);
  fixture.database.exec("COMMIT");
  CHECK(fixture.outbox.status().pending == 2);
}
