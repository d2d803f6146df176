// SPDX-License-Identifier: MIT
//
// What an outbox for Python promises by its tests: one case for each, because whoever comes from it must not
// miss anything.
#include "unit/parity/bench.hpp"

#include <satchel/event.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

namespace parity {

namespace {

struct OrderPlaced {
  using event_kind = satchel::IntegrationEvent;
  static constexpr std::string_view event_name = "OrderPlaced";
  int number = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number));
  }
};

std::string header(const Delivery& delivery, std::string_view name) {
  for (const auto& one : delivery.headers) {
    if (one.name == name) return one.value;
  }
  return "(none)";
}

}  // namespace

TEST_CASE("parity: the defaults are 1 s, 100, 5 and 300 s, and the environment overrides them") {
  const Options defaults;
  CHECK(defaults.polling_interval == 1s);
  CHECK(defaults.batch_size == 100);
  CHECK(defaults.max_attempts == 5);
  CHECK(defaults.claim_timeout == 300s);

  ::setenv("SATCHEL_PARITY_POLLING_INTERVAL_SECONDS", "0.5", 1);
  ::setenv("SATCHEL_PARITY_BATCH_SIZE", "10", 1);
  ::setenv("SATCHEL_PARITY_MAX_RETRY_COUNT", "2", 1);
  ::setenv("SATCHEL_PARITY_CLAIM_TIMEOUT_SECONDS", "30", 1);
  const Options options = Options::from_environment("SATCHEL_PARITY_");
  CHECK(options.polling_interval == 500ms);
  CHECK(options.batch_size == 10);
  CHECK(options.max_attempts == 2);
  CHECK(options.claim_timeout == 30s);
}

TEST_CASE("parity: publishing stores exactly one message, with name and JSON, not delivered, no attempt") {
  Bench bench;
  Transaction tx = bench.outbox->begin();
  tx.publish(OrderPlaced{.number = 7});
  tx.commit();
  CHECK(bench.pending() == 1);
  bench.run();
  const auto deliveries = bench.sink->under_way();
  REQUIRE(deliveries.size() == 1);
  CHECK(deliveries[0].topic == "OrderPlaced");
  CHECK(header(deliveries[0], "event-name") == "OrderPlaced");
  CHECK(deliveries[0].payload == R"({"number":7})");
  CHECK(deliveries[0].attempts == 0);
  CHECK(bench.pending() == 1);
}

TEST_CASE("parity: every message has an id of its own") {
  Bench bench;
  std::set<std::string> ids;
  for (int count = 0; count < 50; ++count) ids.insert(bench.put("x").to_string());
  CHECK(ids.size() == 50);
}

TEST_CASE("parity: the trace header is kept, a signed context is stored, a raw bearer token never") {
  Bench bench;
  bench.outbox->add_propagator([](std::vector<satchel::Header>& headers) {
    headers.push_back({"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    headers.push_back({"auth-context", "c2lnbmVk"});
    headers.push_back({"AUTHORIZATION", "Bearer hunter2"});
  });
  bench.put("x");
  bench.run();
  const auto deliveries = bench.sink->under_way();
  REQUIRE(deliveries.size() == 1);
  CHECK(header(deliveries[0], "traceparent") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  CHECK(header(deliveries[0], "auth-context") == "c2lnbmVk");
  CHECK(deliveries[0].headers.size() == 2);
  CHECK(bench.look("SELECT count(*) FROM satchel_message WHERE headers LIKE '%hunter2%'") == 0);
}

TEST_CASE("parity: the relay hands over the raw bytes of the payload unchanged, and records the delivery") {
  Bench bench;
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  bench.put(bytes);
  bench.accept();
  bench.run();
  CHECK(bench.sent() == Texts{bytes});
  CHECK(bench.outbox->status().delivered == 1);
  CHECK(bench.pending() == 0);
}

TEST_CASE("parity: a delivery that fails is not recorded as one, and its attempt is counted") {
  Bench bench;
  bench.put("x");
  bench.fail_all();
  bench.run();
  const satchel::Status status = bench.outbox->status();
  CHECK(status.delivered == 0);
  CHECK(status.pending == 1);
  CHECK(status.retried == 1);
  CHECK(bench.look("SELECT attempts FROM satchel_attempt") == 1);
}

TEST_CASE("parity: stopped before it starts, the relay sends nothing") {
  Bench bench;
  bench.put("x");
  bench.run();
  bench.sink->reply_all(satchel::delivered());
  CHECK(bench.outbox->stop(1s));
  bench.sink->take_sent();
  CHECK_THROWS_AS(bench.outbox->start(), satchel::UsageError);
  bench.open();
  CHECK(bench.outbox->stop(0s));
  CHECK(bench.sent().empty());
}

TEST_CASE("parity: stopped during a batch, the relay ends with that batch") {
  Options options;
  options.window = 3;
  Bench bench{options};
  for (int count = 0; count < 10; ++count) bench.put(std::to_string(count));
  bench.run();
  CHECK(bench.sent() == Texts{"0", "1", "2"});
  bench.sink->reply_all(satchel::delivered());
  CHECK(bench.outbox->stop(1s));
  CHECK(bench.sent().empty());
  bench.open();
  CHECK(bench.pending() == 7);
}

TEST_CASE("parity: with a thread of its own the relay stops as well, idle or not") {
  Options options;
  options.clock = satchel::system_clock();
  Bench bench{options};
  bench.accept();
  bench.outbox->start();
  CHECK(bench.outbox->stop(30s));
  CHECK(bench.outbox->stop(0s));
}

TEST_CASE("parity: to open and to close without work does nothing") {
  Bench bench;
  bench.open();
  bench.open();
  CHECK(bench.pending() == 0);
  CHECK(bench.log->lines.empty());
}

TEST_CASE("parity: what is saved in a transaction is there after its commit") {
  Bench bench;
  Transaction tx = bench.outbox->begin();
  tx.enqueue({.topic = "t", .payload = "x"});
  CHECK(bench.look("SELECT count(*) FROM satchel_message WHERE topic = 't'") == 0);
  tx.commit();
  CHECK(bench.look("SELECT count(*) FROM satchel_message WHERE topic = 't'") == 1);
}

TEST_CASE("parity: a rollback leaves nothing behind") {
  Bench bench;
  Transaction tx = bench.outbox->begin();
  tx.enqueue({.topic = "t", .payload = "x"});
  tx.rollback();
  bench.accept();
  bench.run();
  CHECK(bench.sent().empty());
  CHECK(bench.pending() == 0);
}

TEST_CASE("parity: only messages that are not delivered yet are fetched") {
  Bench bench;
  bench.accept();
  bench.put("a");
  bench.run();
  bench.put("b");
  bench.run();
  bench.open();
  bench.accept();
  bench.run();
  CHECK(bench.sent().empty());
}

TEST_CASE("parity: after the last attempt a message is not sent again") {
  Options options;
  options.max_attempts = 3;
  Bench bench{options};
  bench.put("x");
  bench.fail_all();
  for (int round = 0; round < 10; ++round) bench.run_after(10min);
  CHECK(bench.sent() == Texts{"x", "x", "x"});
}

TEST_CASE("parity: no more messages are fetched at once than the limit says") {
  Options options;
  options.window = 4;
  Bench bench{options};
  for (int count = 0; count < 10; ++count) bench.put(std::to_string(count));
  bench.run();
  CHECK(bench.sent() == Texts{"0", "1", "2", "3"});
  bench.sink->reply_all(satchel::delivered());
  bench.run();
  CHECK(bench.sent() == Texts{"4", "5", "6", "7"});
}

TEST_CASE("parity: a message that is recorded as delivered is out of sight") {
  Bench bench;
  bench.accept();
  bench.put("x");
  bench.run();
  CHECK(bench.look("SELECT count(*) FROM satchel_message WHERE payload IS NOT NULL") == 0);
}

TEST_CASE("parity: each failure counts one attempt") {
  Bench bench;
  bench.put("x");
  bench.fail_all();
  for (int attempt = 1; attempt <= 4; ++attempt) {
    bench.run_after(10min);
    CHECK(bench.look("SELECT attempts FROM satchel_attempt") == attempt);
  }
}

TEST_CASE("parity: what was claimed a moment ago is not claimed again") {
  Bench bench;
  bench.put("x");
  bench.run();
  CHECK(bench.sent() == Texts{"x"});
  bench.run_after(299s);
  CHECK(bench.sent().empty());
}

TEST_CASE("parity: what was claimed too long ago is sent again") {
  Bench bench;
  bench.put("x");
  bench.run();
  CHECK(bench.sent() == Texts{"x"});
  bench.run_after(301s);
  CHECK(bench.sink->resets() == 1);
  for (int round = 0; round < 5; ++round) bench.run_after(10min);
  const Texts again = bench.sent();
  REQUIRE_FALSE(again.empty());
  CHECK(again.front() == "x");
}

TEST_CASE("parity: an empty outbox has nothing to send") {
  Bench bench;
  CHECK(bench.outbox->dead_letters().empty());
  bench.run();
  CHECK_FALSE(bench.outbox->run_once());
  CHECK(bench.sent().empty());
}

TEST_CASE("parity: tables and indexes have names that the documentation can state") {
  Bench bench;
  CHECK(bench.look("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'satchel_message'") ==
        1);
  CHECK(bench.look("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'satchel_message'"
                   " AND name IN ('satchel_message_by_key', 'satchel_message_by_priority',"
                   " 'satchel_message_by_delay')") == 3);
  CHECK(bench.look("SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'satchel_%' AND name NOT LIKE "
                   "'sqlite_%'") == 0);
}

}  // namespace parity
