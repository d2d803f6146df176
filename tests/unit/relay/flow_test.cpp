// SPDX-License-Identifier: MIT
#include "bench.hpp"

using namespace satchel;
using namespace satchel::relay;

TEST_CASE("relay: messages go out in the order of their rows and are deleted when delivered") {
  Bench bench;
  const Rows rows = bench.put_many(5);
  bench.run();
  CHECK(bench.sent() == rows);
  CHECK(bench.storage->pending() == 5);
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered") == 5);
  CHECK(bench.relay->snapshot().delivered == 5);
  CHECK(bench.relay->snapshot().sink == SinkState::up);
}

TEST_CASE("relay: without anything to do it asks for no wake-up") {
  Bench bench;
  bench.sink->answer(always(delivered()));
  bench.run();
  CHECK_FALSE(bench.relay->next_step().has_value());
  bench.put();
  CHECK(bench.wakes > 0);
  bench.run();
  CHECK_FALSE(bench.relay->next_step().has_value());
}

TEST_CASE("relay: the window is full at its smallest limit and topped up as receipts come") {
  Options options;
  options.window = 10;
  Bench bench{options};
  const Rows rows = bench.put_many(30);
  bench.run();
  CHECK(bench.under_way().size() == 10);
  CHECK(bench.reply(rows[3], delivered()));
  bench.run();
  CHECK(bench.under_way().size() == 10);
  CHECK(bench.under_way().back() == rows[10]);
}

TEST_CASE("relay: a large window waits for a quarter, or for a moment at whose end it wakes") {
  Options options;
  options.window = 100;
  Bench bench{options};
  const Rows rows = bench.put_many(150);
  bench.run();
  REQUIRE(bench.under_way().size() == 100);
  CHECK(bench.reply(rows[3], delivered()));
  bench.run();
  CHECK(bench.under_way().size() == 99);
  CHECK(bench.relay->next_step() == bench.clock.now() + 1ms);
  bench.clock.advance(1ms);
  bench.run();
  CHECK(bench.under_way().size() == 100);
  for (int i = 4; i < 29; ++i) CHECK(bench.reply(rows[static_cast<std::size_t>(i)], delivered()));
  bench.run();
  CHECK(bench.under_way().size() == 100);
  // With nothing more to send there is nothing to wake for.
  bench.sink->reply_all(delivered());
  bench.run();
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.storage->pending() == 0);
  CHECK_FALSE(bench.relay->next_step());
}

TEST_CASE("relay: the sink's capacity limits the window") {
  Bench bench;
  bench.sink->set_capacity(3);
  bench.put_many(10);
  bench.run();
  CHECK(bench.under_way().size() == 3);
}

TEST_CASE("relay: bytes limit the window, and one larger message goes alone") {
  Options options;
  options.window_bytes = 1000;
  Bench bench{options};
  for (int i = 0; i < 5; ++i) bench.put({}, "t", std::string(300, 'x'));
  const std::int64_t large = bench.put({}, "t", std::string(5000, 'x'));
  bench.run();
  CHECK(bench.under_way().size() == 3);
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.under_way().size() == 2);
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.under_way() == Rows{large});
}

TEST_CASE("relay: memory read ahead stays bounded whatever the backlog") {
  Options options;
  options.window = 5;
  options.batch_size = 8;
  Bench bench{options};
  bench.put_many(2000);
  for (int k = 0; k < 300; ++k) bench.put("key" + std::to_string(k % 50));
  std::uint64_t most = 0;
  int rounds = 0;
  bench.sink->answer(always(delivered()));
  do {
    bench.relay->step();
    most = std::max(most, bench.relay->snapshot().read_ahead);
  } while (bench.storage->pending() > 0 && ++rounds < 10'000);
  bench.run();
  CHECK(bench.storage->pending() == 0);
  CHECK(most <= 3 * options.batch_size + options.window);
}

TEST_CASE("relay: what is noted before a hand-over is everything in flight") {
  Options options;
  options.window = 4;
  Bench bench{options};
  const Rows rows = bench.put_many(6);
  bench.run();
  CHECK(bench.medium->in_flight == Rows{rows[0], rows[1], rows[2], rows[3]});
  CHECK(bench.reply(rows[1], delivered()));
  bench.run();
  CHECK(bench.medium->in_flight == Rows{rows[0], rows[2], rows[3], rows[4]});
}

TEST_CASE("relay: a message that waited too long is expired and never sent") {
  Bench bench;
  bench.sink->hold_resume(true);
  const std::int64_t row = bench.storage->save({.topic = "t", .payload = "p", .expires_after = 50ms}).row;
  bench.run();
  bench.clock.advance(50ms);
  bench.sink->rise();
  bench.run();
  CHECK(bench.sent().empty());
  CHECK(bench.medium->expired == 1);
  CHECK(bench.witness.count("expired " + std::to_string(row)) == 1);
  CHECK(bench.relay->snapshot().expired == 1);
}

TEST_CASE("relay: the remaining time is what is left at the hand-over, not at the read") {
  Options options;
  options.window = 1;
  Bench bench{options};
  bench.put();
  bench.storage->save({.topic = "t", .payload = "p", .expires_after = 100ms});
  bench.storage->save({.topic = "t", .payload = "p", .expires_after = 60ms});
  bench.run();
  bench.clock.advance(60ms);
  bench.sink->reply_all(delivered());
  bench.run();
  const auto under_way = bench.sink->under_way();
  REQUIRE(under_way.size() == 1);
  CHECK(under_way.front().remaining == 40ms);
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.medium->expired == 1);
}

TEST_CASE("relay: a damaged row becomes a dead letter and does not stop its key") {
  Bench bench;
  const std::int64_t bad = bench.put("k");
  const std::int64_t good = bench.put("k");
  bench.storage->damage(bad, "payload is no text or blob");
  bench.run();
  CHECK(bench.under_way() == Rows{good});
  bench.run_for(1s);
  CHECK(bench.medium->dead.at(bad).reason == DeadReason::damaged);
}

TEST_CASE("relay: a message that somebody deletes while it waits is forgotten") {
  Bench bench;
  const std::int64_t gone = bench.put("k");
  const std::int64_t next = bench.put("k");
  bench.sink->answer([&](const Delivery& d) -> std::optional<Receipt> {
    if (d.id.row == gone) return retry("later", 1000ms);
    return delivered();
  });
  bench.run();
  CHECK(bench.storage->erase(gone));
  bench.run_for(10s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("delivered " + std::to_string(next)) == 1);
  CHECK(bench.relay->snapshot().keys == 0);
}

TEST_CASE("relay: receipts nobody waits for are ignored and counted") {
  Bench bench;
  const std::int64_t row = bench.put();
  bench.run();
  const std::uint64_t claim = bench.sink->under_way().front().claim;
  CHECK(bench.sink->reply(claim, delivered()));
  bench.run();
  bench.put();
  bench.run();
  CHECK(row == 1);
  CHECK(bench.relay->snapshot().ignored == 0);
  // A receipt for the old claim again, by way of another relay's events.
  CHECK_FALSE(bench.sink->reply(claim, delivered()));
  CHECK(bench.under_way().size() == 1);
}

TEST_CASE("relay: a drain sends nothing new, waits for what is in flight and records it") {
  Options options;
  options.window = 2;
  Bench bench{options};
  const Rows rows = bench.put_many(5);
  bench.run();
  bench.relay->drain();
  bench.run();
  CHECK_FALSE(bench.relay->drained());
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.relay->drained());
  CHECK(bench.storage->pending() == 3);
  bench.relay->finish(1s);
  CHECK_FALSE(bench.medium->claimed);
  CHECK(bench.medium->in_flight.empty());
  CHECK_FALSE(bench.relay->step());
}

TEST_CASE("relay: finish leaves the unanswered pending and nobody suspected") {
  Bench bench;
  const Rows rows = bench.put_many(3);
  bench.run();
  CHECK(bench.reply(rows[0], delivered()));
  bench.relay->finish(0ms);
  CHECK(bench.storage->pending() == 2);
  CHECK_FALSE(bench.medium->claimed);
  CHECK(bench.medium->in_flight.empty());
  CHECK(bench.row(rows[1]).attempts == 0);
}

TEST_CASE("relay: a replayed message below the cursor is found again") {
  Bench bench;
  bench.sink->answer([](const Delivery& d) { return d.id.row == 1 ? reject("bad") : delivered(); });
  bench.put_many(3);
  bench.run();
  CHECK(bench.storage->pending() == 0);
  bench.sink->answer(always(delivered()));
  CHECK(bench.storage->replay(1));
  bench.run();
  CHECK(bench.witness.count("delivered 1") == 1);
}

TEST_CASE("relay: a backlog of 30,000 messages over 10 keys drains in few reads and in order") {
  Bench bench;
  std::map<std::string, std::int64_t> last;
  bool in_order = true;
  bench.sink->answer([&](const Delivery& d) {
    in_order = in_order && last[d.key] < d.id.row;
    last[d.key] = d.id.row;
    return delivered();
  });
  for (int i = 0; i < 30'000; ++i) bench.put("k" + std::to_string(i % 10));
  bench.run();
  CHECK(bench.storage->pending() == 0);
  CHECK(in_order);
  CHECK(bench.storage->rows_read() <= 90'000);
  CHECK(bench.storage->reads() <= 6'000);
}

TEST_CASE("relay: a row that was missed is found, however often there was nothing to find before") {
  Bench bench;
  bench.sink->answer(always(delivered()));
  for (int i = 0; i < 30; ++i) {
    bench.put();
    bench.run_for(1s);
  }
  bench.medium->rows[5].message = {.topic = "t", .payload = "missed"};
  bench.put();
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
  const Rows sent = bench.sent();
  CHECK(std::count(sent.begin(), sent.end(), 5) == 2);
}
