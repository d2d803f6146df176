// SPDX-License-Identifier: MIT
#include "unit/event/events.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <stdexcept>
#include <string>

namespace satchel {

namespace {

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

}  // namespace

TEST_CASE("propagator: every way to enqueue puts trace and signed context on the message") {
  EventBench bench;
  bench.outbox.add_propagator([](std::vector<Header>& headers) {
    headers.push_back({"traceparent", kParent});
    headers.push_back({"tracestate", "vendor=1"});
  });
  bench.outbox.add_propagator([](std::vector<Header>& headers) {
    headers.push_back({"context", "eyJ1c2VyIjoiYW5uIn0.c2lnbmF0dXJl"});
    headers.push_back({"Authorization", "Bearer secret"});
    headers.push_back({"cookie", "session=secret"});
  });
  Transaction tx = bench.outbox.begin();
  tx.enqueue({.topic = "a", .headers = {{"own", "1"}}});
  tx.publish(Heartbeat{});
  bench.outbox.enqueue({.topic = "b"});
  tx.commit();
  bench.outbox.enqueue({.topic = "c"});
  bench.outbox.publish(Heartbeat{});
  bench.outbox.enqueue_async({.topic = "d"}).get();

  const auto deliveries = bench.deliveries();
  REQUIRE(deliveries.size() == 6);
  CHECK(deliveries[0].headers.front() == Header{"own", "1"});
  for (const Delivery& delivery : deliveries) {
    INFO(delivery.topic);
    CHECK(header_of(delivery.headers, "traceparent") == kParent);
    CHECK(header_of(delivery.headers, "tracestate") == "vendor=1");
    CHECK(header_of(delivery.headers, "context") == "eyJ1c2VyIjoiYW5uIn0.c2lnbmF0dXJl");
    CHECK(header_of(delivery.headers, "Authorization") == "(none)");
    CHECK(header_of(delivery.headers, "cookie") == "(none)");
  }
}

TEST_CASE("propagator: it runs on the thread that enqueues, once a message, and sees what is there") {
  EventBench bench;
  int calls = 0;
  bench.outbox.add_propagator([&](std::vector<Header>& headers) {
    ++calls;
    headers.push_back({"first", std::to_string(headers.size())});
  });
  bench.outbox.add_propagator([](std::vector<Header>& headers) { std::erase(headers, Header{"own", "1"}); });
  Message message{.topic = "a", .headers = {{"own", "1"}}};
  bench.outbox.enqueue(message);
  CHECK(calls == 1);
  CHECK(message.headers.size() == 1);
  const auto deliveries = bench.deliveries();
  REQUIRE(deliveries.size() == 1);
  CHECK(deliveries[0].headers == std::vector<Header>{{"first", "1"}});
}

TEST_CASE("propagator: one that throws fails the enqueue and leaves the transaction as it was") {
  EventBench bench;
  bool fail = true;
  bench.outbox.add_propagator([&](std::vector<Header>&) {
    if (fail) throw std::runtime_error{"no signer"};
  });
  Transaction tx = bench.outbox.begin();
  EventBench::log(tx, "row");
  CHECK_THROWS_WITH_AS(tx.enqueue({.topic = "a"}),
                       "enqueue: a header propagator failed: no signer (the message was not added)",
                       PropagatorError);
  CHECK_THROWS_AS(tx.publish(Heartbeat{}), PropagatorError);
  try {
    bench.outbox.enqueue({.topic = "a"});
    FAIL("enqueued");
  } catch (const PropagatorError& error) {
    CHECK_THROWS_WITH_AS(std::rethrow_if_nested(error), "no signer", std::runtime_error);
  }
  fail = false;
  tx.enqueue({.topic = "b"});
  tx.commit();
  CHECK(bench.logged() == std::vector<std::string>{"row"});
  REQUIRE(bench.deliveries().size() == 1);
  CHECK(bench.deliveries()[0].topic == "b");
}

TEST_CASE("propagator: what it adds is checked like any header") {
  EventBench bench;
  bench.outbox.add_propagator([](std::vector<Header>& headers) { headers.push_back({"x", "line\nbreak"}); });
  CHECK_THROWS_AS(bench.outbox.enqueue({.topic = "a"}), InvalidMessage);
  CHECK(bench.outbox.status().pending == 0);
}

TEST_CASE("propagator: it must not enqueue, and an empty one is refused") {
  EventBench bench;
  CHECK_THROWS_AS(bench.outbox.add_propagator({}), UsageError);
  bench.outbox.add_propagator([&](std::vector<Header>&) { bench.outbox.enqueue({.topic = "again"}); });
  CHECK_THROWS_AS(bench.outbox.enqueue({.topic = "a"}), PropagatorError);
  CHECK(bench.outbox.status().pending == 0);
}

}  // namespace satchel
