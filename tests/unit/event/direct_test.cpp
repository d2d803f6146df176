// SPDX-License-Identifier: MIT
#include "unit/event/events.hpp"

#include <satchel/event_bus.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace satchel {

namespace {

using std::chrono::milliseconds;
using testing::ScriptedSink;

constexpr milliseconds kShort{20};  // for what must run out of time
constexpr milliseconds kLong{60'000};

/// Looks until it is so; false after a minute.
bool eventually(const auto& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A bus over a scripted sink.
struct DirectBench {
  explicit DirectBench(milliseconds timeout = kLong, std::size_t capacity = 10) {
    auto owned = std::make_unique<ScriptedSink>(capacity);
    sink = owned.get();
    bus = std::make_unique<DirectEventBus>(std::move(owned), timeout);
  }
  ~DirectBench() { CHECK(sink->breaches() == std::vector<std::string>{}); }

  std::string error_of_send() const {
    try {
      bus->send({.topic = "t"});
    } catch (const DeliveryFailed& error) {
      return error.what();
    }
    return "sent";
  }

  ScriptedSink* sink = nullptr;
  std::unique_ptr<DirectEventBus> bus;
};

}  // namespace

TEST_CASE("direct: send returns when the first hop has the message") {
  DirectBench bench;
  bench.sink->answer([](const Delivery&) { return delivered(); });
  const MessageId first = bench.bus->send(
      {.topic = "t", .payload = "p", .key = "k", .content_type = "c", .headers = {{"a", "1"}}});
  const MessageId second = bench.bus->send({.topic = "t"});
  CHECK(first.identity == second.identity);
  CHECK(first.row != second.row);
  const auto sent = bench.sink->take_sent();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].id == first);
  CHECK(sent[0].payload == "p");
  CHECK(sent[0].key == "k");
  CHECK(sent[0].content_type == "c");
  CHECK(sent[0].headers == std::vector<Header>{{"a", "1"}});
  CHECK(bench.sink->resumes() == 1);
}

TEST_CASE("direct: what is refused says so, and that it did not arrive") {
  DirectBench bench;
  bench.sink->answer([](const Delivery&) { return reject("too large"); });
  CHECK(bench.error_of_send() == "publish: scripted answered: too large (it did not arrive)");
  CHECK_THROWS_AS(bench.bus->send({.topic = "a/#"}), InvalidMessage);
}

TEST_CASE("direct: a sink that is down fails at once and is asked again at the next send") {
  DirectBench bench;
  bench.sink->refuse(down("no route"));
  CHECK(bench.error_of_send() == "publish: scripted is down: no route (it was not sent; publish it again)");
  bench.sink->refuse(std::nullopt);
  bench.sink->answer([](const Delivery&) { return delivered(); });
  CHECK(bench.error_of_send() == "sent");
  CHECK(bench.sink->resumes() == 2);
}

TEST_CASE("direct: a connection that does not come up in time, and does later") {
  DirectBench bench{kShort};
  bench.sink->hold_resume(true);
  CHECK(bench.error_of_send() ==
        "publish: scripted did not come up in 20 ms (it was not sent; publish it again)");
  bench.sink->rise();
  bench.sink->answer([](const Delivery&) { return delivered(); });
  CHECK(bench.error_of_send() == "sent");
}

TEST_CASE("direct: a receipt that stays out may have arrived, and the sink is reset") {
  DirectBench bench{kShort};
  CHECK(
      bench.error_of_send() ==
      "publish: no answer from scripted in 20 ms (it may have arrived: publishing it again may send a second "
      "copy)");
  CHECK(bench.sink->resets() == 1);
  bench.sink->answer([](const Delivery&) { return delivered(); });
  CHECK(bench.error_of_send() == "sent");
}

TEST_CASE("direct: a connection that breaks under a message leaves it uncertain") {
  DirectBench bench;
  auto failed = std::async(std::launch::async, [&] { return bench.error_of_send(); });
  REQUIRE(eventually([&] { return !bench.sink->under_way().empty(); }));
  bench.sink->fall(down("reset by peer"));
  CHECK(
      failed.get() ==
      "publish: scripted answered: reset by peer (it may have arrived: publishing it again may send a second "
      "copy)");
}

TEST_CASE("direct: many threads share the sink within its capacity") {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  DirectBench bench{kLong, 2};
  std::atomic<bool> done{false};
  std::thread answerer{[&] {
    while (!done) {
      bench.sink->reply_all(delivered());
      std::this_thread::yield();
    }
  }};
  std::vector<std::future<std::set<std::int64_t>>> senders;
  for (int sender = 0; sender < kThreads; ++sender) {
    senders.push_back(std::async(std::launch::async, [&] {
      std::set<std::int64_t> rows;
      for (int count = 0; count < kEach; ++count) rows.insert(bench.bus->send({.topic = "t"}).row);
      return rows;
    }));
  }
  std::set<std::int64_t> all;
  for (auto& sender : senders) all.merge(sender.get());
  done = true;
  answerer.join();
  CHECK(all.size() == kThreads * kEach);
}

TEST_CASE("direct: without a sink there is no bus") {
  CHECK_THROWS_AS(DirectEventBus{std::unique_ptr<Sink>{}}, UsageError);
}

}  // namespace satchel
