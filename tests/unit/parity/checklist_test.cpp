// SPDX-License-Identifier: MIT
//
// Feature by feature, what takes the place of an outbox for Python.
#include "unit/parity/bench.hpp"

#include <satchel/testing/memory_storage.hpp>

#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <string>
#include <thread>

namespace parity {

TEST_CASE("parity: rows and messages are saved in one transaction, by SQLiteCpp or by the bare handle") {
  Bench bench;
  Transaction tx = bench.outbox->begin();
  tx.execute("CREATE TABLE reading(celsius REAL)");
  tx.database().exec("INSERT INTO reading VALUES (1.5)");
  CHECK(sqlite3_exec(tx.database().getHandle(), "INSERT INTO reading VALUES (2.5)", nullptr, nullptr,
                     nullptr) == 0);
  tx.enqueue({.topic = "t", .payload = "x"});
  tx.commit();
  CHECK(bench.look("SELECT count(*) FROM reading") == 2);
  CHECK(bench.pending() == 1);
}

TEST_CASE("parity: a rollback drops rows and messages") {
  Bench bench;
  {
    Transaction tx = bench.outbox->begin();
    tx.execute("CREATE TABLE reading(celsius REAL)");
    tx.enqueue({.topic = "t", .payload = "x"});
  }
  CHECK(bench.look("SELECT count(*) FROM sqlite_master WHERE name = 'reading'") == 0);
  CHECK(bench.pending() == 0);
}

TEST_CASE("parity: the four settings have their names, and do what they say") {
  Options options = Options::from_environment("SATCHEL_CHECKLIST_");
  options.max_attempts = 1;
  options.claim_timeout = 7s;
  Bench bench{options};
  bench.put("x");
  bench.run();
  bench.run_after(8s);
  CHECK(bench.sink->resets() == 1);
  bench.fail_all();
  for (int round = 0; round < 5; ++round) bench.run_after(10min);
  CHECK(bench.outbox->status().dead == 1);
}

TEST_CASE("parity: a claim ends by time on the boot clock, and an answer that comes later changes nothing") {
  Options options;
  options.claim_timeout = 10s;
  Bench bench{options};
  bench.put("x");
  bench.run();
  const auto first = bench.sink->under_way();
  REQUIRE(first.size() == 1);
  bench.clock->set_wall(satchel::WallTime{std::chrono::milliseconds{4'000'000'000'000}}, true);
  bench.run_after(9s);
  CHECK(bench.sink->resets() == 0);
  bench.run_after(2s);
  CHECK(bench.sink->resets() == 1);
  CHECK_FALSE(bench.sink->reply(first[0].claim, satchel::delivered()));
  CHECK(bench.pending() == 1);
  for (int round = 0; round < 3 && bench.sink->under_way().empty(); ++round) bench.run_after(10min);
  const auto second = bench.sink->under_way();
  REQUIRE(second.size() == 1);
  CHECK(second[0].claim != first[0].claim);
  CHECK(second[0].id == first[0].id);
}

TEST_CASE("parity: a payload of raw bytes and headers of text arrive as they were") {
  Bench bench;
  const Message message{
      .topic = "t", .payload = std::string{"\0\xff\x80", 3}, .headers = {{"a", "1"}, {"B", "zwei"}}};
  bench.outbox->enqueue(message);
  bench.run();
  const auto deliveries = bench.sink->under_way();
  REQUIRE(deliveries.size() == 1);
  CHECK(deliveries[0].payload == message.payload);
  CHECK(deliveries[0].headers == message.headers);
}

TEST_CASE("parity: a traceparent passes through") {
  Bench bench;
  bench.outbox->enqueue({.topic = "t", .headers = {{"traceparent", "00-1-2-01"}}});
  bench.run();
  REQUIRE(bench.sink->under_way().size() == 1);
  CHECK(bench.sink->under_way()[0].headers == std::vector<satchel::Header>{{"traceparent", "00-1-2-01"}});
}

TEST_CASE("parity: a secret among the headers is dropped before it reaches the file") {
  Bench bench;
  bench.outbox->enqueue({.topic = "t", .headers = {{"authorization", "Bearer hunter2"}}});
  CHECK(bench.look("SELECT count(*) FROM satchel_message WHERE headers LIKE '%hunter2%'") == 0);
}

TEST_CASE("parity: the relay's thread stops within the time that it is given, whatever the sink does") {
  Options options;
  options.clock = satchel::system_clock();
  Bench bench{options};
  bench.put("never answered");
  bench.outbox->start();
  const auto begun = std::chrono::steady_clock::now();
  while (bench.sink->under_way().empty() && std::chrono::steady_clock::now() - begun < 1min)
    std::this_thread::yield();
  CHECK_FALSE(bench.outbox->stop(50ms));
  CHECK(std::chrono::steady_clock::now() - begun < 2min);
  bench.open();
  CHECK(bench.pending() == 1);
}

TEST_CASE("parity: a sink says delivered, retry, reject, down or blocked, and each has its effect") {
  Options options;
  options.max_attempts = 2;
  Bench bench{options};
  bench.sink->answer([](const Delivery& delivery) {
    if (delivery.payload == "retry") return satchel::retry("later");
    if (delivery.payload == "reject") return satchel::reject("never");
    return satchel::delivered();
  });
  for (const char* payload : {"delivered", "retry", "reject"}) bench.put(payload);
  bench.run();
  CHECK(bench.outbox->status().delivered == 1);
  CHECK(bench.outbox->status().retried == 1);
  CHECK(bench.outbox->status().dead == 1);

  bench.sink->fall(satchel::down("cable"));
  bench.run();
  CHECK(bench.outbox->status().sink != satchel::SinkState::up);
  CHECK(bench.outbox->status().sink_problem == "cable");
  bench.sink->refuse(satchel::blocked("bad password"));
  bench.run_after(10min);
  CHECK(bench.outbox->status().sink == satchel::SinkState::blocked);
  CHECK(bench.pending() == 1);
}

TEST_CASE("parity: the storage is a port: there is one in memory") {
  ManualClock clock;
  satchel::testing::MemoryStorage storage{clock};
  const MessageId id = storage.save({.topic = "t", .payload = "x"});
  REQUIRE(storage.acquire());
  const auto claimed = storage.claim({}).messages;
  REQUIRE(claimed.size() == 1);
  CHECK(claimed[0].id == id);
  CHECK(storage.settle({.delivered = {id.row}, .expired = {}, .failures = {}, .deaths = {}}));
  CHECK(storage.pending() == 0);
}

TEST_CASE("parity: ids are unique, rise with the commits, and reach the sink") {
  Bench bench;
  const MessageId first = bench.put("a");
  const MessageId second = bench.put("b");
  CHECK(second.row == first.row + 1);
  bench.run();
  const auto deliveries = bench.sink->under_way();
  REQUIRE(deliveries.size() == 2);
  CHECK(deliveries[0].id == first);
  CHECK(deliveries[1].id == second);
}

}  // namespace parity
