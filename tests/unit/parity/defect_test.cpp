// SPDX-License-Identifier: MIT
//
// Where such an outbox is known to go wrong: one case for each, which shows that this one does not.
#include "unit/parity/bench.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace parity {

TEST_CASE("parity: a failed message is tried again after its own backoff, not after the claim's timeout") {
  Options options;
  options.retry_backoff = {.base = 1s, .factor = 2.0, .cap = 8s};
  Bench bench{options};
  bench.put("x");
  bench.fail_all();
  bench.run();
  CHECK(bench.sent() == Texts{"x"});
  bench.run_after(1s);
  CHECK(bench.sent() == Texts{"x"});
  bench.run_after(2s);
  CHECK(bench.sent() == Texts{"x"});
}

TEST_CASE("parity: what is given up is a dead letter: logged, listed, replayed, discarded") {
  Options options;
  options.max_attempts = 2;
  Bench bench{options};
  const MessageId first = bench.put("x");
  const MessageId second = bench.put("y");
  bench.fail_all();
  for (int round = 0; round < 5; ++round) bench.run_after(10min);
  CHECK(bench.log->has("dead: HTTP 500"));
  CHECK(bench.pending() == 0);
  CHECK(bench.outbox->status().dead == 2);
  const auto letters = bench.outbox->dead_letters();
  REQUIRE(letters.size() == 2);
  CHECK(letters[0].id == first);
  CHECK(letters[0].message.payload == "x");
  CHECK(letters[0].attempts == 2);
  CHECK(letters[0].last_error == "HTTP 500");

  CHECK(bench.outbox->discard(second));
  CHECK(bench.outbox->replay(first));
  bench.sent();
  bench.accept();
  bench.run();
  CHECK(bench.sent() == Texts{"x"});
  CHECK(bench.outbox->dead_letters().empty());
}

TEST_CASE("parity: an outage does not burn attempts") {
  Bench bench;
  for (int count = 0; count < 20; ++count) bench.put(std::to_string(count));
  bench.sink->refuse(satchel::down("no route to host"));
  for (int hour = 0; hour < 24 * 14; ++hour) bench.run_after(1h);
  CHECK(bench.outbox->status().dead == 0);
  CHECK(bench.pending() == 20);
  CHECK(bench.sent().empty());
  CHECK(bench.look("SELECT count(*) FROM satchel_attempt") == 0);

  bench.sink->refuse(std::nullopt);
  bench.accept();
  bench.run_after(1h);
  CHECK(bench.sent().size() == 20);
  CHECK(bench.pending() == 0);
}

TEST_CASE(
    "parity: a good delivery that cannot be recorded is recorded later, not sent again, no attempt burnt") {
  Options options;
  options.busy_timeout = 0ms;
  Bench bench{options};
  bench.put("x");
  bench.run();
  SQLite::Database other{bench.path, SQLite::OPEN_READWRITE};
  other.exec("BEGIN IMMEDIATE");
  bench.sink->reply_all(satchel::delivered());
  for (int round = 0; round < 5; ++round) bench.run_after(1min);
  CHECK(bench.pending() == 1);
  CHECK(bench.log->has("failing"));
  other.exec("ROLLBACK");
  bench.run_after(1min);
  CHECK(bench.pending() == 0);
  CHECK(bench.sent() == Texts{"x"});
  CHECK(bench.outbox->status().delivered == 1);
  CHECK(bench.outbox->status().retried == 0);
}

TEST_CASE("parity: a relay that cannot use its file says so, and goes on when it can") {
  Options options;
  options.busy_timeout = 0ms;
  Bench bench{options};
  bench.accept();
  bench.put("before");
  bench.run();
  bench.sent();
  bench.put("x");
  {
    SQLite::Database other{bench.path, SQLite::OPEN_READWRITE};
    other.exec("BEGIN IMMEDIATE");
    bench.run();
    CHECK(bench.outbox->status().failure.has_value());
    CHECK(bench.log->has("failing"));
    other.exec("ROLLBACK");
  }
  bench.run_after(1min);
  CHECK_FALSE(bench.outbox->status().failure.has_value());
  CHECK(bench.log->has("healed"));
  bench.put("y");
  bench.run();
  CHECK(bench.pending() == 0);
}

TEST_CASE(
    "parity: messages go out in the order of their commits, and a failed one is not overtaken by its key") {
  Bench bench;
  for (const char* payload : {"c", "d", "a", "b", "e"}) bench.put(payload);
  bench.run();
  CHECK(bench.sent() == Texts{"c", "d", "a", "b", "e"});
  bench.sink->reply_all(satchel::delivered());
  bench.run();

  for (const char* payload : {"k1", "k2", "k3"}) bench.put(payload, "key");
  bench.fail_all();
  bench.run();
  CHECK(bench.sent() == Texts{"k1"});
  bench.accept();
  bench.run_after(10min);
  CHECK(bench.sent() == Texts{"k1", "k2", "k3"});
}

TEST_CASE("parity: a slow sink does not lose its claim to a second relay") {
  Bench bench;
  Bench second_place;  // for its sink alone
  for (int count = 0; count < 5; ++count) bench.put(std::to_string(count));
  bench.run();
  CHECK(bench.sent().size() == 5);

  auto owned = std::make_unique<ScriptedSink>();
  ScriptedSink* other_sink = owned.get();
  Outbox other{bench.path, bench.options};
  other.attach(std::move(owned));
  bench.clock->advance(1h);
  for (int round = 0; round < 10; ++round) other.run_once();
  CHECK(other_sink->take_sent().empty());
  CHECK_FALSE(other.status().leading);

  bench.sink->reply_all(satchel::delivered());
  bench.run();
  CHECK(bench.pending() == 0);
  for (int round = 0; round < 10; ++round) other.run_once();
  CHECK(other_sink->take_sent().empty());
}

TEST_CASE("parity: of two relays on one file one works and the other stands by") {
  Bench bench;
  bench.accept();
  auto owned = std::make_unique<ScriptedSink>();
  ScriptedSink* other_sink = owned.get();
  owned->answer([](const Delivery&) { return satchel::delivered(); });
  Outbox other{bench.path, bench.options};
  other.attach(std::move(owned));
  bench.run();
  for (int count = 0; count < 10; ++count) {
    bench.put(std::to_string(count));
    other.run_once();
    bench.run();
  }
  CHECK(bench.sent().size() == 10);
  CHECK(other_sink->take_sent().empty());
  CHECK(bench.outbox->status().leading);

  bench.outbox->stop(0s);
  other.enqueue({.topic = "t", .payload = "taken over"});
  for (int round = 0; round < 20; ++round) {
    bench.clock->advance(10s);
    other.run_once();
  }
  CHECK(other_sink->take_sent().size() == 1);
  CHECK(other.status().leading);
}

TEST_CASE("parity: no step of the wall clock stalls, hurries or reorders anything") {
  Options options;
  options.retry_backoff = {.base = 10s, .factor = 1.0, .cap = 10s};
  Bench bench{options};
  using satchel::WallTime;
  const WallTime now{std::chrono::milliseconds{1'780'000'000'000}};
  bench.clock->set_wall(now + std::chrono::hours{24 * 3650}, true);
  bench.put("a");
  bench.fail_all();
  bench.run();
  CHECK(bench.sent() == Texts{"a"});
  bench.clock->set_wall(now, true);
  bench.put("b");
  bench.clock->set_wall(now - std::chrono::hours{24 * 3650}, true);
  bench.put("c");
  bench.accept();
  bench.run();
  CHECK(bench.sent() == Texts{"b", "c"});
  bench.run_after(10s);
  CHECK(bench.sent() == Texts{"a"});

  bench.clock->set_wall(now, true);
  bench.outbox->enqueue({.topic = "t", .payload = "short", .expires_after = 1min});
  bench.clock->set_wall(now + std::chrono::hours{24 * 3650}, true);
  bench.run();
  CHECK(bench.sent() == Texts{"short"});
}

TEST_CASE("parity: SQLite is what it is made for: times are integers, rows have strict types") {
  Bench bench;
  bench.outbox->enqueue({.topic = "t", .payload = "x", .expires_after = 1min});
  CHECK(bench.look("SELECT count(*) FROM satchel_message WHERE typeof(created) = 'integer' AND typeof(ttl) = "
                   "'integer'") == 1);
  CHECK(bench.look("SELECT count(*) FROM pragma_table_list WHERE name LIKE 'satchel_%' AND strict = 0") == 0);
}

TEST_CASE("parity: delivered messages do not stay in the file") {
  Bench bench;
  bench.accept();
  const auto cycle = [&bench] {
    for (int count = 0; count < 100; ++count) bench.put(std::string(500, 'x'));
    bench.run();
  };
  cycle();
  const std::int64_t pages = bench.look("PRAGMA page_count");
  for (int round = 0; round < 20; ++round) cycle();
  CHECK(bench.look("SELECT count(*) FROM satchel_message") <= 1);
  CHECK(bench.look("PRAGMA page_count") <= pages + 10);
}

TEST_CASE("parity: a backlog is drained without a pause, and an idle relay writes nothing") {
  Bench bench;
  bench.accept();
  for (int count = 0; count < 1000; ++count) bench.put(std::to_string(count));
  bench.run();
  CHECK(bench.sent().size() == 1000);
  CHECK(bench.pending() == 0);

  bench.run_after(1h);
  SQLite::Database other{bench.path, SQLite::OPEN_READONLY};
  const std::int64_t version = other.execAndGet("PRAGMA data_version").getInt64();
  for (int hour = 0; hour < 100; ++hour) bench.run_after(1h);
  CHECK(other.execAndGet("PRAGMA data_version").getInt64() == version);
}

TEST_CASE("parity: a commit wakes the relay at once, and its state can be seen") {
  Options options;
  options.clock = satchel::system_clock();
  options.polling_interval = 24h;
  Bench bench{options};
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
  bench.sink->answer([&](const Delivery& delivery) {
    const std::lock_guard lock{mutex};
    ++calls;
    changed.notify_all();
    return delivery.payload == "bad" ? satchel::reject("malformed") : satchel::delivered();
  });
  bench.outbox->start();
  for (int count = 1; count <= 3; ++count) {
    bench.put(count == 3 ? "bad" : "good");
    std::unique_lock lock{mutex};
    CHECK(changed.wait_for(lock, 1min, [&] { return calls == count; }));
  }
  CHECK(bench.outbox->stop(1min));
  const satchel::Status status = bench.outbox->status();
  CHECK(status.delivered == 2);
  CHECK(status.dead == 1);
  CHECK(status.pending == 0);
  CHECK(status.newest_row == 3);
  CHECK(bench.outbox->dead_letters().at(0).last_error == "malformed");
}

TEST_CASE("parity: payload, file and lifetime have limits, and the sink gets batches") {
  Options options;
  options.max_payload_bytes = 1000;
  options.max_file_bytes = 1U << 18U;
  Bench bench{options};
  CHECK_THROWS_AS(bench.put(std::string(1001, 'x')), satchel::InvalidMessage);
  bench.outbox->enqueue({.topic = "t", .payload = "late", .expires_after = 1s});
  bench.run_after(0s);
  bench.sink->fall();
  bench.sink->refuse(satchel::down("gone"));
  bench.run_after(1min);
  bench.sent();

  int stored = 0;
  const auto fill = [&] {
    for (; stored < 10'000; ++stored) bench.put(std::string(1000, 'x'));
  };
  CHECK_THROWS_AS(fill(), satchel::FullError);
  CHECK(stored > 50);
  bench.sink->refuse(std::nullopt);
  bench.accept();
  const int batches = bench.sink->batches();
  bench.run_after(10min);
  CHECK(bench.outbox->status().expired == 1);
  CHECK(bench.outbox->status().delivered == static_cast<std::uint64_t>(stored));
  CHECK(bench.sink->batches() - batches < stored);
}

TEST_CASE("parity: threads do not get into one another's transactions") {
  Bench bench;
  std::atomic<bool> begun{false};
  std::thread other;
  {
    Transaction tx = bench.outbox->begin();
    tx.enqueue({.topic = "t", .payload = "rolled back"});
    other = std::thread{[&] {
      begun = true;
      bench.put("of the other thread");
    }};
    while (!begun) std::this_thread::yield();
    bench.outbox->enqueue({.topic = "t", .payload = "rolled back, too"});
    tx.rollback();
  }
  other.join();
  bench.accept();
  bench.run();
  CHECK(bench.sent() == Texts{"of the other thread"});
}

TEST_CASE("parity: headers have limits, a grammar, and no credential in any spelling") {
  Options options;
  options.max_header_bytes = 100;
  Bench bench{options};
  const auto put = [&bench](std::vector<satchel::Header> headers) {
    bench.outbox->enqueue({.topic = "t", .headers = std::move(headers)});
  };
  CHECK_THROWS_AS(put({{"a b", "1"}}), satchel::InvalidMessage);
  CHECK_THROWS_AS(put({{"", "1"}}), satchel::InvalidMessage);
  CHECK_THROWS_AS(put({{"a", "1\r\nevil: 2"}}), satchel::InvalidMessage);
  CHECK_THROWS_AS(put({{"a", "\xff"}}), satchel::InvalidMessage);
  CHECK_THROWS_AS(put({{"a", std::string(100, 'x')}}), satchel::InvalidMessage);
  put({{"a", std::string(99, 'x')}, {"AuThOrIzAtIoN", "Bearer x"}, {"Set-Cookie", "x"}, {"COOKIE", "x"}});
  bench.run();
  REQUIRE(bench.sink->under_way().size() == 1);
  CHECK(bench.sink->under_way()[0].headers.size() == 1);
}

}  // namespace parity
