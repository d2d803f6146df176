// SPDX-License-Identifier: MIT
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using satchel::MessageId;
using satchel::Outbox;
using satchel::UsageError;
using satchel::Writer;
using satchel::WriterOptions;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::TempDir;

/// A connection as a careful application opens it.
struct Application {
  explicit Application(const std::string& path)
      : database{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000} {
    database.exec("PRAGMA wal_autocheckpoint = 0");
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  std::int64_t count(const std::string& what) {
    return database.execAndGet("SELECT count(*) FROM " + what).getInt64();
  }
  std::int64_t messages() { return count("satchel_message WHERE topic <> ''"); }
  SQLite::Database database;
};

struct Fixture {
  explicit Fixture(satchel::Options options = {}) : outbox{std::in_place, path, std::move(options)} {
    application.database.exec("CREATE TABLE reading(number INTEGER PRIMARY KEY, text TEXT)");
  }
  TempDir directory;
  std::string path = directory.path() + "/device.db";
  std::optional<Outbox> outbox;
  Application application{path};
  SQLite::Database& database = application.database;
};

bool mentions(const std::vector<std::string>& texts, const std::string& word) {
  for (const std::string& text : texts) {
    if (text.find(word) != std::string::npos) return true;
  }
  return false;
}

class Notices final : public satchel::Observer {
 public:
  void notice(const std::string& text) noexcept override { texts.push_back(text); }
  std::vector<std::string> texts;
};

}  // namespace

TEST_CASE("writer: rows and messages of the application's own transaction commit together") {
  Fixture fixture;
  Writer writer{fixture.database};
  SQLite::Transaction tx{fixture.database, SQLite::TransactionBehavior::IMMEDIATE};
  fixture.database.exec("INSERT INTO reading(text) VALUES ('a')");
  const MessageId id = writer.enqueue({.topic = "t", .payload = "1", .key = "k", .headers = {{"a", "b"}}});
  CHECK(fixture.outbox->status().pending == 0);
  tx.commit();
  writer.committed();
  CHECK(fixture.outbox->status().pending == 1);

  // It comes out as if the outbox had taken it.
  auto echo = std::make_shared<support::Echo>();
  fixture.outbox->attach(support::EchoSink{echo});
  while (fixture.outbox->run_once()) {
  }
  REQUIRE(echo->taken().size() == 1);
  const satchel::Delivery delivery = echo->taken()[0];
  CHECK(delivery.id == id);
  CHECK(id.identity == fixture.outbox->identity());
  CHECK(delivery.payload == "1");
  CHECK(delivery.key == "k");
  CHECK(delivery.headers == std::vector<satchel::Header>{{"a", "b"}});
  CHECK(delivery.created.has_value());
}

TEST_CASE("writer: a rollback takes the messages back") {
  Fixture fixture;
  Writer writer{fixture.database};
  {
    SQLite::Transaction tx{fixture.database, SQLite::TransactionBehavior::IMMEDIATE};
    fixture.database.exec("INSERT INTO reading(text) VALUES ('a')");
    writer.enqueue({.topic = "t"});
  }
  CHECK(fixture.application.messages() == 0);
  CHECK(fixture.application.count("reading") == 0);
  CHECK(writer.enqueue({.topic = "t"}).row == 1);
}

TEST_CASE("writer: a file that was moved while it was open takes no more messages") {
  Fixture fixture;
  Writer writer{fixture.database};
  const std::string aside = fixture.path + ".aside";
  REQUIRE(std::rename(fixture.path.c_str(), aside.c_str()) == 0);
  CHECK_THROWS_AS(writer.enqueue({.topic = "t"}), satchel::StorageError);
  REQUIRE(std::rename(aside.c_str(), fixture.path.c_str()) == 0);
  CHECK(writer.enqueue({.topic = "t"}).row == 1);
}

TEST_CASE("writer: a rollback to a savepoint takes back what came after it") {
  Fixture fixture;
  Writer writer{fixture.database};
  fixture.database.exec("BEGIN IMMEDIATE");
  writer.enqueue({.topic = "before"});
  fixture.database.exec("SAVEPOINT one");
  writer.enqueue({.topic = "one"});
  fixture.database.exec("SAVEPOINT two");
  writer.enqueue({.topic = "two"});
  fixture.database.exec("ROLLBACK TO two");
  writer.enqueue({.topic = "after"});
  fixture.database.exec("RELEASE one");
  fixture.database.exec("COMMIT");
  SQLite::Statement rows{fixture.database, "SELECT group_concat(topic, ' ') FROM satchel_message"};
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getString() == "before one after");
}

TEST_CASE("writer: a savepoint without a transaction is one") {
  Fixture fixture;
  Writer writer{fixture.database};
  fixture.database.exec("SAVEPOINT outer");
  writer.enqueue({.topic = "t"});
  CHECK(fixture.outbox->status().pending == 0);
  fixture.database.exec("RELEASE outer");
  CHECK(fixture.outbox->status().pending == 1);
}

TEST_CASE("writer: without a transaction it commits in one of its own and wakes the relay") {
  Fixture fixture;
  auto echo = std::make_shared<support::Echo>();
  fixture.outbox->attach(support::EchoSink{echo});
  fixture.outbox->start();
  Writer writer{fixture.database};
  const MessageId id = writer.enqueue({.topic = "t", .payload = "x"});
  CHECK(sqlite3_get_autocommit(fixture.database.getHandle()) == 1);
  REQUIRE(echo->wait_for(1));
  CHECK(echo->taken()[0].id == id);
}

TEST_CASE("writer: committed wakes a relay that does not poll") {
  Fixture fixture;
  auto echo = std::make_shared<support::Echo>();
  fixture.outbox->attach(support::EchoSink{echo});
  fixture.outbox->start();
  Writer writer{fixture.database};
  for (int number = 1; number <= 3; ++number) {
    fixture.database.exec("BEGIN IMMEDIATE");
    writer.enqueue({.topic = "t"});
    fixture.database.exec("COMMIT");
    writer.committed();
    REQUIRE(echo->wait_for(static_cast<std::size_t>(number)));
  }
}

TEST_CASE("writer: last_insert_rowid is as it was, after success and failure") {
  Fixture fixture;
  Writer writer{fixture.database};
  fixture.database.exec("INSERT INTO reading(number, text) VALUES (4711, 'a')");
  CHECK(writer.enqueue({.topic = "t"}).row == 1);
  CHECK(fixture.database.getLastInsertRowid() == 4711);
  fixture.database.exec("BEGIN IMMEDIATE");
  writer.enqueue({.topic = "t"});
  CHECK(fixture.database.getLastInsertRowid() == 4711);
  fixture.database.exec("COMMIT");
  fixture.database.exec(
      "CREATE TRIGGER refuse BEFORE INSERT ON satchel_message BEGIN SELECT raise(ABORT, 'no'); END");
  CHECK_THROWS_AS(writer.enqueue({.topic = "t"}), satchel::StorageError);
  CHECK(fixture.database.getLastInsertRowid() == 4711);
}

TEST_CASE("writer: the application's hooks stay in their places") {
  Fixture fixture;
  int commits = 0;
  int wal = 0;
  int updates = 0;
  sqlite3* handle = fixture.database.getHandle();
  sqlite3_commit_hook(
      handle, [](void* count) { return ++*static_cast<int*>(count), 0; }, &commits);
  sqlite3_wal_hook(
      handle, [](void* count, sqlite3*, const char*, int) { return ++*static_cast<int*>(count), SQLITE_OK; },
      &wal);
  sqlite3_update_hook(
      handle, [](void* count, int, const char*, const char*, sqlite3_int64) { ++*static_cast<int*>(count); },
      &updates);
  Writer writer{fixture.database};
  writer.enqueue({.topic = "t"});
  CHECK(commits == 1);
  CHECK(wal == 1);
  CHECK(updates == 1);
}

TEST_CASE("writer: a message that is refused leaves the transaction open and as it was") {
  Fixture fixture;
  Writer writer{fixture.database, WriterOptions{.max_payload_bytes = 10}};
  fixture.database.exec("BEGIN IMMEDIATE");
  fixture.database.exec("INSERT INTO reading(text) VALUES ('a')");
  CHECK_THROWS_AS(writer.enqueue({.topic = "a/#"}), satchel::InvalidMessage);
  CHECK_THROWS_AS(writer.enqueue({.topic = "t", .payload = "12345678901"}), satchel::InvalidMessage);
  CHECK_NOTHROW(writer.enqueue({.topic = "t", .payload = "1234567890"}));
  fixture.database.exec("COMMIT");
  CHECK(fixture.application.count("reading") == 1);
  CHECK(fixture.application.messages() == 1);
  CHECK_THROWS_AS(Writer(fixture.database, WriterOptions{.max_payload_bytes = (256U << 20U) + 1}),
                  satchel::InvalidOption);
}

TEST_CASE("writer: a transaction that began with a read and is overtaken gets a clear error") {
  Fixture fixture;
  Writer writer{fixture.database};
  fixture.database.exec("BEGIN");
  CHECK(fixture.application.count("reading") == 0);
  fixture.outbox->enqueue({.topic = "t"});
  const auto before = std::chrono::steady_clock::now();
  std::string hint;
  try {
    writer.enqueue({.topic = "t"});
  } catch (const satchel::BusyError& error) {
    hint = error.hint();
    CHECK(error.code() == SQLITE_BUSY_SNAPSHOT);
  }
  CHECK(hint.find("BEGIN IMMEDIATE") != std::string::npos);
  // The busy timeout of 5 s is not even asked.
  CHECK(std::chrono::steady_clock::now() - before < seconds{4});
  fixture.database.exec("ROLLBACK");
  CHECK_NOTHROW(writer.enqueue({.topic = "t"}));
}

TEST_CASE("writer: behind the gate, application threads and outbox threads never see a busy file") {
  satchel::Options options;
  options.busy_timeout = milliseconds{0};
  Fixture fixture{options};
  constexpr int kThreads = 3;
  constexpr int kEach = 40;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&] {
      Application mine{fixture.path};
      mine.database.exec("PRAGMA busy_timeout = 0");
      Writer writer{mine.database};
      for (int each = 0; each < kEach; ++each) {
        try {
          const auto gate = writer.gate();
          SQLite::Transaction tx{mine.database, SQLite::TransactionBehavior::IMMEDIATE};
          mine.database.exec("INSERT INTO reading(text) VALUES ('x')");
          writer.enqueue({.topic = "t"});
          tx.commit();
        } catch (const std::exception&) {
          ++failures;
        }
      }
    });
    threads.emplace_back([&] {
      for (int each = 0; each < kEach; ++each) {
        try {
          fixture.outbox->enqueue({.topic = "t"});
        } catch (const std::exception&) {
          ++failures;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(fixture.application.messages() == 2 * kThreads * kEach);
}

TEST_CASE(
    "writer: the gate serves in turn, is given back by its holder, and cannot be taken twice by one thread") {
  Fixture fixture;
  Writer writer{fixture.database};
  std::thread other;
  std::promise<void> asking;
  std::atomic<bool> through{false};
  {
    auto gate = writer.gate();
    const auto moved = std::move(gate);
    CHECK_THROWS_AS(static_cast<void>(writer.gate()), UsageError);
    CHECK_THROWS_AS(fixture.outbox->begin(), UsageError);
    // With the hold it goes on without waiting for itself.
    CHECK_NOTHROW(writer.enqueue({.topic = "t"}));
    other = std::thread{[&] {
      asking.set_value();
      fixture.outbox->enqueue({.topic = "t"});
      through = true;
    }};
    asking.get_future().wait();
    CHECK_FALSE(through.load());
  }
  other.join();
  CHECK(fixture.application.messages() == 2);
  CHECK_NOTHROW(static_cast<void>(writer.gate()));
}

TEST_CASE("writer: on a thread with an open transaction of the outbox it does not wait for itself") {
  Fixture fixture;
  Writer writer{fixture.database};
  auto tx = fixture.outbox->begin();
  CHECK_THROWS_AS(writer.enqueue({.topic = "t"}), UsageError);
  CHECK_THROWS_AS(static_cast<void>(writer.gate()), UsageError);
  tx.commit();
  CHECK_NOTHROW(writer.enqueue({.topic = "t"}));
}

TEST_CASE("writer: another process's lock is a busy error, and nothing is left open") {
  Fixture fixture;
  Writer writer{fixture.database};
  fixture.database.exec("PRAGMA busy_timeout = 0");
  Application other{fixture.path};
  other.database.exec("BEGIN IMMEDIATE");
  CHECK_THROWS_AS(writer.enqueue({.topic = "t"}), satchel::BusyError);
  CHECK(sqlite3_get_autocommit(fixture.database.getHandle()) == 1);
  other.database.exec("COMMIT");
  CHECK_NOTHROW(writer.enqueue({.topic = "t"}));
}

TEST_CASE("writer: a file without tables is refused, and made on request") {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  Application application{path};
  application.database.exec("CREATE TABLE reading(number)");
  CHECK_THROWS_WITH_AS(Writer{application.database}, doctest::Contains("open an Outbox on the file first"),
                       UsageError);
  CHECK(application.count("sqlite_schema") == 1);
  {
    application.database.exec("BEGIN");
    CHECK_THROWS_AS(Writer(application.database, WriterOptions{.create = true}), UsageError);
    application.database.exec("ROLLBACK");
  }
  Writer writer{application.database, WriterOptions{.create = true}};
  CHECK(writer.enqueue({.topic = "t"}).row == 1);
  const Outbox outbox{path};
  CHECK(outbox.status().pending == 1);
}

TEST_CASE("writer: connections that cannot serve are refused") {
  SQLite::Database memory{":memory:", SQLite::OPEN_READWRITE};
  CHECK_THROWS_AS(Writer{memory}, UsageError);
  CHECK_THROWS_AS(Writer(static_cast<sqlite3*>(nullptr)), UsageError);
  Fixture fixture;
  SQLite::Database reading{fixture.path, SQLite::OPEN_READONLY};
  CHECK_THROWS_AS(Writer{reading}, UsageError);
  {
    auto tx = fixture.outbox->begin();
    tx.execute("UPDATE satchel_state SET value = 99 WHERE name = 'schema_compatible'");
    tx.commit();
  }
  CHECK_THROWS_AS(Writer{fixture.database}, satchel::SchemaTooNew);
}

TEST_CASE("writer: a file that left the WAL mode is refused") {
  Fixture fixture;
  fixture.outbox.reset();
  fixture.database.exec("PRAGMA journal_mode = DELETE");
  CHECK_THROWS_WITH_AS(Writer{fixture.database}, doctest::Contains("journal_mode=WAL"), UsageError);
}

TEST_CASE("writer: it says what to change on a careless connection, and tells the observer") {
  Fixture fixture;
  const auto observer = std::make_shared<Notices>();
  SQLite::Database careless{fixture.path, SQLite::OPEN_READWRITE};
  careless.exec("PRAGMA synchronous = NORMAL");
  const Writer writer{careless, WriterOptions{.observer = observer}};
  for (const char* word :
       {"wal_autocheckpoint=0", "NO_CKPT_ON_CLOSE", "synchronous=FULL", "busy_timeout=5000"}) {
    CAPTURE(word);
    CHECK(mentions(writer.notices(), word));
  }
  CHECK(observer->texts == writer.notices());

  const Writer careful{fixture.database};
  CHECK_FALSE(mentions(careful.notices(), "this connection"));
  CHECK_FALSE(mentions(careful.notices(), "synchronous=FULL"));
  CHECK(mentions(careful.notices(), "SQLite 3.40.1") == (sqlite3_libversion_number() == 3'040'001));
}

TEST_CASE("writer: a connection that does not sync makes the relay sync before it sends") {
  Fixture fixture;
  Writer writer{fixture.database};
  const auto relaxed = [&] {
    return fixture.database.execAndGet("SELECT value FROM satchel_state WHERE name = 'relaxed_writers'")
        .getInt64();
  };
  writer.enqueue({.topic = "t"});
  CHECK(relaxed() == 0);
  fixture.database.exec("PRAGMA synchronous = NORMAL");
  fixture.database.exec("BEGIN IMMEDIATE");
  writer.enqueue({.topic = "t"});
  fixture.database.exec("ROLLBACK");
  CHECK(relaxed() == 0);
  writer.enqueue({.topic = "t"});
  CHECK(relaxed() == 1);
}

TEST_CASE("writer: in a boot that the file does not know yet it dates its messages all the same") {
  Fixture fixture;
  class Rebooted final : public satchel::Clock {
   public:
    satchel::BootTime now() const noexcept override { return satchel::BootTime{seconds{7}}; }
    satchel::WallReading wall() const noexcept override {
      return {satchel::WallTime{seconds{1'800'000'000}}, true};
    }
    std::string boot_id() const override { return "another boot"; }
    void wait(std::span<const int>, std::optional<satchel::BootTime>) const override {}
  };
  Writer writer{fixture.database, WriterOptions{.clock = std::make_shared<Rebooted>()}};
  fixture.database.exec("BEGIN IMMEDIATE");
  writer.enqueue({.topic = "t"});
  fixture.database.exec("ROLLBACK");
  CHECK(fixture.application.count("satchel_boot") == 1);
  writer.enqueue({.topic = "t"});
  writer.enqueue({.topic = "t"});
  CHECK(fixture.application.count("satchel_boot") == 2);
  SQLite::Statement rows{fixture.database,
                         "SELECT count(*) FROM satchel_message JOIN satchel_boot USING (boot) "
                         "WHERE boot_id = 'another boot' AND created = 7000"};
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getInt() == 2);
}

TEST_CASE("writer: what propagators add travels along") {
  Fixture fixture;
  Writer writer{fixture.database};
  writer.add_propagator([](std::vector<satchel::Header>& headers) {
    headers.push_back({"traceparent", "00-1"});
  });
  writer.enqueue({.topic = "t"});
  CHECK(fixture.application.count("satchel_message WHERE headers LIKE '%\"traceparent\":\"00-1\"%'") == 1);
}

TEST_CASE("writer: it works on a bare sqlite3 handle and moves") {
  Fixture fixture;
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open_v2(fixture.path.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
  {
    Writer writer{handle};
    Writer moved{std::move(writer)};
    CHECK(moved.enqueue({.topic = "t"}).row == 1);
    CHECK_THROWS_AS(writer.enqueue({.topic = "t"}), UsageError);  // NOLINT: what is after a move is defined
    writer = std::move(moved);
    CHECK(writer.enqueue({.topic = "t"}).row == 2);
  }
  // Nothing of the writer holds the connection.
  CHECK(sqlite3_close(handle) == SQLITE_OK);
}

TEST_CASE("writer: a forked child is refused and harms nothing") {
  Fixture fixture;
  std::optional<Writer> writer{std::in_place, fixture.database};
  writer->enqueue({.topic = "t"});
  const pid_t child = fork();
  if (child == 0) {
    int refused = 0;
    try {
      writer->enqueue({.topic = "t"});
    } catch (const UsageError&) {
      ++refused;
    }
    try {
      static_cast<void>(writer->gate());
    } catch (const UsageError&) {
      ++refused;
    }
    writer->committed();
    writer.reset();
    _exit(refused == 2 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK_NOTHROW(writer->enqueue({.topic = "t"}));
}
