// SPDX-License-Identifier: MIT
#include "unit/outbox/fixture.hpp"

#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using outbox_test::Fixture;
using satchel::Outbox;
using satchel::Transaction;
using satchel::UsageError;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::Echo;
using support::EchoSink;
using support::TempDir;

void run_to_the_end(Outbox& outbox) {
  while (outbox.run_once()) {
  }
}

/// Calls a function at the first delivery.
class OnDelivery final : public satchel::Observer {
 public:
  void delivered(const satchel::MessageId&, int) noexcept override { call(); }
  std::function<void()> call;
};

}  // namespace

TEST_CASE("outbox: a row and a message commit together") {
  Fixture fixture;
  Transaction tx = fixture.outbox.begin();
  CHECK(tx.execute("INSERT INTO reading(number) VALUES (?)", 1) == 1);
  const satchel::MessageId id = tx.enqueue({.topic = "t", .payload = "1"});
  tx.commit();
  CHECK_FALSE(tx.open());
  CHECK(id.identity == fixture.outbox.identity());
  CHECK(fixture.readings() == 1);
  CHECK(fixture.outbox.status().pending == 1);

  auto echo = std::make_shared<Echo>();
  fixture.outbox.attach(EchoSink{echo});
  run_to_the_end(fixture.outbox);
  REQUIRE(echo->taken().size() == 1);
  CHECK(echo->taken()[0].id == id);
  CHECK(fixture.outbox.status().pending == 0);
  CHECK(fixture.outbox.status().delivered == 1);
}

TEST_CASE("outbox: rollback, and a transaction that is dropped, leave neither row nor message") {
  Fixture fixture;
  {
    Transaction tx = fixture.outbox.begin();
    tx.execute("INSERT INTO reading(number) VALUES (1)");
    tx.enqueue({.topic = "t"});
    tx.rollback();
    CHECK_FALSE(tx.open());
    tx.rollback();
  }
  {
    Transaction tx = fixture.outbox.begin();
    tx.execute("INSERT INTO reading(number) VALUES (2)");
    tx.enqueue({.topic = "t"});
  }
  CHECK(fixture.readings() == 0);
  CHECK(fixture.outbox.status().pending == 0);
  CHECK(fixture.outbox.status().newest_row == 0);
}

TEST_CASE("outbox: every kind of value is bound as it is") {
  Fixture fixture;
  const std::array<std::byte, 3> bytes{std::byte{0}, std::byte{255}, std::byte{1}};
  Transaction tx = fixture.outbox.begin();
  tx.execute("INSERT INTO reading(number, text, bytes) VALUES (?, ?, ?)", 7, std::string("a\0b", 3),
             std::span{bytes});
  tx.execute("INSERT INTO reading(number, text, bytes) VALUES (?, ?, ?)", nullptr, "c",
             std::optional<std::string>{});
  tx.execute("INSERT INTO reading(number, text, bytes) VALUES (?, ?, ?)", true, std::string_view{""},
             std::span<const std::byte>{});
  tx.execute("INSERT INTO reading(number) VALUES (?)", 0.5);
  SQLite::Statement query{tx.database(),
                          "SELECT typeof(number), typeof(text), typeof(bytes), length(CAST(text AS BLOB)), "
                          "length(bytes) FROM reading ORDER BY rowid"};
  std::string seen;
  while (query.executeStep()) {
    for (int column = 0; column < 5; ++column) seen += query.getColumn(column).getString() + ' ';
    seen += '\n';
  }
  CHECK(seen ==
        "integer text blob 3 3 \n"
        "null text null 1  \n"
        "integer text blob 0 0 \n"
        "real null null   \n");
}

TEST_CASE("outbox: a statement that fails leaves the transaction open and says why") {
  Fixture fixture;
  Transaction tx = fixture.outbox.begin();
  tx.execute("INSERT INTO reading(number) VALUES (1)");
  CHECK_THROWS_AS(tx.execute("INSERT INTO nonsense VALUES (1)"), satchel::StorageError);
  CHECK_THROWS_AS(tx.execute("INSERT INTO reading(number) VALUES (?)", 1, 2), satchel::StorageError);
  CHECK_THROWS_AS(tx.execute("SELECT 1"), satchel::StorageError);
  CHECK_THROWS_AS(tx.enqueue({.topic = "a/#"}), satchel::InvalidMessage);
  CHECK(tx.open());
  tx.commit();
  CHECK(fixture.readings() == 1);
  CHECK(fixture.outbox.status().pending == 0);
}

TEST_CASE("outbox: use after the end is refused") {
  Fixture fixture;
  Transaction tx = fixture.outbox.begin();
  tx.commit();
  CHECK_THROWS_AS(tx.commit(), UsageError);
  CHECK_THROWS_AS(tx.enqueue({.topic = "t"}), UsageError);
  CHECK_THROWS_AS(tx.execute("SELECT 1"), UsageError);
  CHECK_THROWS_AS(tx.database(), UsageError);
  Transaction moved = fixture.outbox.begin();
  Transaction target = std::move(moved);
  CHECK(target.open());
  target.commit();
}

TEST_CASE("outbox: a second begin on the same thread is refused instead of waiting for itself") {
  Fixture fixture;
  Transaction tx = fixture.outbox.begin();
  CHECK_THROWS_AS(fixture.outbox.begin(), UsageError);
  tx.commit();
  CHECK_NOTHROW(fixture.outbox.begin());
}

TEST_CASE("outbox: enqueue joins the transaction that its thread has open") {
  Fixture fixture;
  {
    Transaction tx = fixture.outbox.begin();
    fixture.outbox.enqueue({.topic = "t"});
    tx.rollback();
  }
  CHECK(fixture.outbox.status().pending == 0);
  Transaction tx = fixture.outbox.begin();
  fixture.outbox.enqueue({.topic = "t"});
  tx.commit();
  CHECK(fixture.outbox.status().pending == 1);
}

TEST_CASE("outbox: many threads write at once and none is told that the file is busy") {
  satchel::Options options;
  options.busy_timeout = milliseconds{0};
  options.durability = satchel::Durability::relaxed;
  Fixture fixture{options};
  auto echo = std::make_shared<Echo>();
  fixture.outbox.attach(EchoSink{echo});
  fixture.outbox.start();
  constexpr int kThreads = 8;
  constexpr int kEach = 100;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      for (int each = 0; each < kEach; ++each) {
        try {
          Transaction tx = fixture.outbox.begin();
          tx.execute("INSERT INTO reading(number) VALUES (?)", number);
          tx.enqueue({.topic = "t", .payload = std::to_string(each), .key = std::to_string(number)});
          tx.commit();
        } catch (const satchel::Error&) {
          ++failures;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(echo->wait_for(kThreads * kEach));
  CHECK(fixture.outbox.stop(seconds{30}));
  CHECK(fixture.readings() == kThreads * kEach);
  CHECK(fixture.outbox.status().pending == 0);
  CHECK(echo->taken().size() == kThreads * kEach);
}

TEST_CASE("outbox: the relay thread delivers what is committed while it runs, without polling") {
  Fixture fixture;
  auto echo = std::make_shared<Echo>();
  fixture.outbox.attach(EchoSink{echo});
  fixture.outbox.start();
  fixture.outbox.start();
  for (std::size_t number = 1; number <= 20; ++number) {
    fixture.outbox.enqueue({.topic = "t", .payload = std::to_string(number)});
    REQUIRE(echo->wait_for(number));
  }
  CHECK(fixture.outbox.stop(seconds{30}));
  CHECK(fixture.outbox.stop(seconds{0}));
  CHECK_FALSE(fixture.outbox.status().running);
  CHECK(fixture.outbox.status().pending == 0);
  CHECK_THROWS_AS(fixture.outbox.run_once(), UsageError);
}

TEST_CASE("outbox: stop from within an observer returns at once and ends the relay") {
  auto observer = std::make_shared<OnDelivery>();
  satchel::Options options;
  options.observer = observer;
  Fixture fixture{options};
  std::promise<bool> stopped;
  std::atomic<bool> first{true};
  observer->call = [&] {
    if (first.exchange(false)) stopped.set_value(fixture.outbox.stop(seconds{30}));
  };
  fixture.outbox.attach(EchoSink{std::make_shared<Echo>()});
  fixture.outbox.start();
  fixture.outbox.enqueue({.topic = "t"});
  CHECK_FALSE(stopped.get_future().get());
  CHECK(fixture.outbox.stop(seconds{30}));
}

TEST_CASE("outbox: stop returns in its time although the sink never answers") {
  class MuteSink final : public satchel::Sink {
   public:
    void start(satchel::SinkEvents& events) override { events_ = &events; }
    void resume() override { events_->up(); }
    void send(std::vector<satchel::Delivery>) override { taken->set_value(); }
    void reset() override {}
    void stop(milliseconds) noexcept override {}
    std::size_t capacity() const noexcept override { return 1; }
    std::string name() const override { return "mute"; }
    std::shared_ptr<std::promise<void>> taken = std::make_shared<std::promise<void>>();

   private:
    satchel::SinkEvents* events_ = nullptr;
  };
  Fixture fixture;
  MuteSink sink;
  auto taken = sink.taken;
  fixture.outbox.attach(std::move(sink));
  fixture.outbox.start();
  fixture.outbox.enqueue({.topic = "t"});
  taken->get_future().wait();
  const auto before = std::chrono::steady_clock::now();
  CHECK_FALSE(fixture.outbox.stop(milliseconds{200}));
  CHECK(std::chrono::steady_clock::now() - before < seconds{20});
  CHECK(fixture.outbox.status().pending == 1);
}

TEST_CASE("outbox: stop leaves a thread behind that hangs in the sink") {
  struct Door {
    std::promise<void> entered;
    std::promise<void> open;
    std::promise<void> left;
  };
  class StuckSink final : public satchel::Sink {
   public:
    explicit StuckSink(std::shared_ptr<Door> door) : door_{std::move(door)} {}
    void start(satchel::SinkEvents& events) override { events_ = &events; }
    void resume() override { events_->up(); }
    void send(std::vector<satchel::Delivery>) override {
      door_->entered.set_value();
      door_->open.get_future().wait();
    }
    void reset() override {}
    void stop(milliseconds) noexcept override {}
    std::size_t capacity() const noexcept override { return 1; }
    std::string name() const override { return "stuck"; }
    ~StuckSink() override {
      if (door_) door_->left.set_value();
    }
    StuckSink(StuckSink&&) = default;

   private:
    std::shared_ptr<Door> door_;
    satchel::SinkEvents* events_ = nullptr;
  };
  auto door = std::make_shared<Door>();
  Fixture fixture;
  fixture.outbox.attach(StuckSink{door});
  fixture.outbox.start();
  fixture.outbox.enqueue({.topic = "t"});
  door->entered.get_future().wait();
  CHECK_FALSE(fixture.outbox.stop(milliseconds{50}));
  CHECK(fixture.outbox.status().pending == 1);
  door->open.set_value();
  // Now that it can go on, it ends.
  fixture.outbox.stop(seconds{30});
}

TEST_CASE("outbox: a transaction outlives its outbox and what it commits is relayed later") {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  auto outbox = std::make_unique<Outbox>(path);
  Transaction tx = outbox->begin();
  tx.enqueue({.topic = "t", .payload = "late"});
  outbox.reset();
  tx.commit();

  Outbox again{path};
  auto echo = std::make_shared<Echo>();
  again.attach(EchoSink{echo});
  run_to_the_end(again);
  CHECK(echo->payloads() == std::vector<std::string>{"late"});
}

TEST_CASE("outbox: a forked child is refused and harms nothing") {
  Fixture fixture;
  fixture.outbox.enqueue({.topic = "t", .payload = "before"});
  const pid_t child = fork();
  if (child == 0) {
    int refused = 0;
    const auto attempt = [&](const std::function<void()>& call) {
      try {
        call();
      } catch (const UsageError&) {
        ++refused;
      }
    };
    attempt([&] { fixture.outbox.begin(); });
    attempt([&] { fixture.outbox.enqueue({.topic = "t"}); });
    attempt([&] { fixture.outbox.status(); });
    attempt([&] { fixture.outbox.start(); });
    _exit(refused == 4 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  fixture.outbox.enqueue({.topic = "t", .payload = "after"});
  CHECK(fixture.outbox.status().pending == 2);
}

TEST_CASE("outbox: misuse of attach and start is refused") {
  Fixture fixture;
  CHECK_THROWS_AS(fixture.outbox.start(), UsageError);
  CHECK_THROWS_AS(fixture.outbox.run_once(), UsageError);
  CHECK_THROWS_AS(fixture.outbox.attach(std::unique_ptr<satchel::Sink>{}), UsageError);
  fixture.outbox.attach(EchoSink{std::make_shared<Echo>()});
  CHECK_THROWS_AS(fixture.outbox.pause("no such route"), UsageError);
  fixture.outbox.start();
  CHECK_THROWS_AS(fixture.outbox.run_once(), UsageError);
  CHECK_THROWS_AS(fixture.outbox.attach(EchoSink{std::make_shared<Echo>()}), UsageError);
  CHECK(fixture.outbox.stop(seconds{30}));
  CHECK_THROWS_AS(fixture.outbox.start(), UsageError);
}

TEST_CASE("outbox: a sink that lingers for more than half of claim_timeout is refused") {
  class LingeringSink final : public satchel::Sink {
   public:
    explicit LingeringSink(milliseconds linger) : linger_{linger} {}
    void start(satchel::SinkEvents&) override {}
    void resume() override {}
    void send(std::vector<satchel::Delivery>) override {}
    void reset() override {}
    void stop(milliseconds) noexcept override {}
    std::size_t capacity() const noexcept override { return 1; }
    milliseconds linger() const noexcept override { return linger_; }
    std::string name() const override { return "lingering"; }

   private:
    milliseconds linger_;
  };
  satchel::Options options;
  options.claim_timeout = seconds{10};
  Fixture fixture{options};
  fixture.outbox.attach(LingeringSink{milliseconds{5000}});
  try {
    fixture.outbox.attach(LingeringSink{milliseconds{5001}});
    FAIL_CHECK("taken");
  } catch (const satchel::InvalidOption& error) {
    CHECK(error.operation() == "attach");
    CHECK(error.problem() == "the sink lingers for 5001 ms, more than half of claim_timeout, 10000 ms");
    CHECK(error.hint().find("HttpBatch::linger") != std::string::npos);
  }
}

TEST_CASE("outbox: dead letters are listed, replayed and discarded") {
  Fixture fixture;
  auto echo = std::make_shared<Echo>();
  bool well = false;
  fixture.outbox.attach(EchoSink{echo, [&](const satchel::Delivery&) {
                                   return well ? satchel::delivered() : satchel::reject("not today");
                                 }});
  const auto first =
      fixture.outbox.enqueue({.topic = "t", .payload = "1", .key = "k", .headers = {{"a", "b"}}});
  const auto second = fixture.outbox.enqueue({.topic = "t", .payload = "2"});
  const auto third = fixture.outbox.enqueue({.topic = "t", .payload = "3"});
  run_to_the_end(fixture.outbox);
  CHECK(fixture.outbox.status().dead == 3);
  CHECK(fixture.outbox.status().pending == 0);
  const auto dead = fixture.outbox.dead_letters();
  REQUIRE(dead.size() == 3);
  CHECK(dead[0].id == first);
  CHECK(dead[0].message.payload == "1");
  CHECK(dead[0].message.key == "k");
  CHECK(dead[0].message.headers == std::vector<satchel::Header>{{"a", "b"}});
  CHECK(dead[0].reason == satchel::DeadReason::rejected);
  CHECK(dead[0].last_error == "not today");
  CHECK(fixture.outbox.dead_letters(1, first.row).at(0).id == second);

  well = true;
  CHECK(fixture.outbox.discard(second));
  CHECK_FALSE(fixture.outbox.discard(second));
  CHECK_FALSE(fixture.outbox.replay(second));
  CHECK(fixture.outbox.replay(third));
  CHECK(fixture.outbox.replay_all() == 1);
  run_to_the_end(fixture.outbox);
  CHECK(fixture.outbox.status().dead == 0);
  CHECK(fixture.outbox.status().pending == 0);
  std::multiset<std::string> payloads;
  for (const std::string& payload : echo->payloads()) payloads.insert(payload);
  CHECK(payloads == std::multiset<std::string>{"1", "1", "2", "3", "3"});
}

TEST_CASE("outbox: a statement that is run again does what it did the first time, whatever came in between") {
  Fixture fixture;
  const std::string insert = "INSERT INTO reading(number, text) VALUES (?, ?)";
  Transaction tx = fixture.outbox.begin();
  CHECK(tx.execute(insert, 1, "one") == 1);
  // A value that is left out is NULL, not that of the last time.
  CHECK(tx.execute(insert, 2) == 1);
  CHECK(tx.execute("UPDATE reading SET number = number + ?", 10) == 2);
  // It fails, and then not.
  CHECK_THROWS_AS(tx.execute(insert, 1, 2, 3), satchel::StorageError);
  CHECK(tx.execute(insert, 3, "three") == 1);
  // What it was compiled for has changed.
  tx.execute("ALTER TABLE reading ADD COLUMN unit TEXT DEFAULT 'K'");
  tx.execute(
      "CREATE TRIGGER twice AFTER INSERT ON reading WHEN NEW.number = 4 BEGIN"
      " UPDATE reading SET text = 'triggered' WHERE number = 4; END");
  CHECK(tx.execute(insert, 4, "four") == 1);
  // Rows that nobody reads are a mistake each time.
  for (int i = 0; i < 2; ++i)
    CHECK_THROWS_AS(tx.execute("INSERT INTO reading(number) VALUES (9) RETURNING number"),
                    satchel::StorageError);
  // More texts than are kept, and one with a second statement, of which neither is run.
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i)
      CHECK(tx.execute("INSERT INTO reading(number) VALUES (100 + " + std::to_string(i) + ")") == 1);
    CHECK_THROWS_AS(tx.execute("INSERT INTO reading(number) VALUES (5); DELETE FROM reading"),
                    satchel::StorageError);
    CHECK(tx.execute("INSERT INTO reading(number) VALUES (5);  -- and no more") == 1);
  }
  tx.commit();
  tx = fixture.outbox.begin();
  CHECK(tx.execute(insert, 6, "six") == 1);
  tx.rollback();
  tx = fixture.outbox.begin();
  CHECK(tx.execute(insert, 7, "seven") == 1);
  SQLite::Statement query{tx.database(),
                          "SELECT group_concat(number || coalesce(text, '-') || unit, ' ') FROM reading"
                          " WHERE number < 100 AND number <> 9"};
  REQUIRE(query.executeStep());
  CHECK(query.getColumn(0).getString() == "11oneK 12-K 3threeK 4triggeredK 5-K 5-K 7sevenK");
}
