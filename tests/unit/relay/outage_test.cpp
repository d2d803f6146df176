// SPDX-License-Identifier: MIT
#include "bench.hpp"

using namespace satchel;
using namespace satchel::relay;

TEST_CASE("outage: no attempt is counted, however long it lasts") {
  Options options;
  options.max_attempts = 2;
  options.max_age = 1000ms;
  Bench bench{options};
  const Rows rows = bench.put_many(5);
  bench.run();
  bench.sink->refuse(down("no network"));
  bench.sink->fall();
  bench.run_for(std::chrono::hours{24 * 14});
  CHECK(bench.sink->resumes() > 100);
  CHECK(bench.storage->pending() == 5);
  CHECK(bench.row(rows[0]).attempts == 0);
  CHECK(bench.relay->snapshot().sink == SinkState::down);
  CHECK(bench.relay->snapshot().sink_problem == "no network");
  bench.sink->refuse(std::nullopt);
  bench.sink->answer(always(delivered()));
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.witness.count("retrying") == 0);
}

TEST_CASE("outage: nothing is read and nothing is sent while the sink is away") {
  Bench bench;
  bench.sink->refuse(down("no network"));
  bench.put_many(100);
  bench.run();
  const std::uint64_t reads = bench.storage->reads();
  bench.run_for(std::chrono::hours{1});
  CHECK(bench.storage->reads() == reads);
  CHECK(bench.sent().empty());
}

TEST_CASE("outage: afterwards the window opens slowly, oldest first") {
  Options options;
  options.window = 8;
  options.probe_backoff = {1ms, 1.0, 1ms};
  Bench bench{options};
  const Rows rows = bench.put_many(30);
  bench.run();
  bench.sink->fall();
  bench.run_for(1ms);
  CHECK(bench.under_way() == Rows{rows[0]});
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.under_way() == Rows{rows[1], rows[2]});
  bench.sink->reply_all(delivered());
  bench.run();
  CHECK(bench.under_way() == Rows{rows[3], rows[4], rows[5], rows[6]});
}

TEST_CASE("outage: a single down receipt pauses the route as long as the peer asked") {
  Bench bench;
  bench.put_many(2);
  bench.run();
  CHECK(bench.reply(1, down("busy", 30'000ms)));
  CHECK(bench.reply(2, delivered()));
  bench.run_for(29s);
  CHECK(bench.sink->resumes() == 1);
  CHECK(bench.relay->snapshot().sink == SinkState::down);
  bench.run_for(3s);
  CHECK(bench.sink->resumes() == 2);
  CHECK(bench.under_way() == Rows{1});
}

TEST_CASE("outage: a late receipt of an earlier connection does not pause the new one") {
  Options options;
  options.probe_backoff = {1ms, 1.0, 1ms};
  Bench bench{options};
  bench.put_many(2);
  bench.run();
  CHECK(bench.reply(1, down("busy")));
  bench.run_for(10ms);
  CHECK(bench.relay->snapshot().sink == SinkState::up);
  const int resumes = bench.sink->resumes();
  CHECK(bench.reply(2, down("busy")));
  bench.run_for(10ms);
  CHECK(bench.sink->resumes() == resumes);
  CHECK(bench.relay->snapshot().sink == SinkState::up);
}

TEST_CASE("outage: a sink that never answers a probe is reset and probed again") {
  Options options;
  options.claim_timeout = 10s;
  Bench bench{options};
  bench.sink->hold_resume(true);
  bench.run_for(9s);
  CHECK(bench.sink->resets() == 0);
  bench.run_for(2min);
  CHECK(bench.sink->resets() > 2);
  bench.sink->hold_resume(false);
  bench.sink->answer(always(delivered()));
  bench.put();
  bench.run_for(10min);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("claim timeout: a receipt that stays out takes the messages back from the sink") {
  Options options;
  options.claim_timeout = 10s;
  Bench bench{options};
  const std::int64_t row = bench.put();
  bench.run();
  const std::uint64_t claim = bench.sink->under_way().front().claim;
  bench.run_for(9999ms);
  CHECK(bench.sink->resets() == 0);
  bench.run_for(1ms);
  CHECK(bench.sink->resets() == 1);
  bench.run_for(5s);
  REQUIRE(bench.under_way() == Rows{row});
  CHECK(bench.sink->under_way().front().claim != claim);
  CHECK(bench.row(row).attempts == 0);
}

TEST_CASE(
    "claim timeout: from a sink that ignores the reset they are taken back anyway, and its late receipt is "
    "ignored") {
  Options options;
  options.claim_timeout = 10s;
  options.probe_backoff = {1ms, 1.0, 1ms};
  Bench bench{options};
  const std::int64_t row = bench.put();
  bench.sink->ignore_reset(true);
  bench.run();
  const std::uint64_t claim = bench.sink->under_way().front().claim;
  bench.run_for(19'999ms);
  CHECK(bench.under_way() == Rows{row});
  bench.run_for(2ms);
  CHECK(bench.under_way() == Rows{row, row});
  CHECK(bench.sink->reply(claim, delivered()));
  bench.run();
  CHECK(bench.relay->snapshot().ignored == 1);
  CHECK(bench.storage->pending() == 1);
}

namespace {

/// Throws where a sink should not, for all messages or those of one topic.
class Thrower final : public ScriptedSink {
 public:
  explicit Thrower(std::string topic) : topic_{std::move(topic)} {}
  void resume() override {
    if (++calls_ % 3 == 0) throw std::runtime_error{"no socket"};
    ScriptedSink::resume();
  }
  void send(std::vector<Delivery> batch) override {
    for (const Delivery& delivery : batch) {
      if (topic_.empty() || delivery.topic == topic_) throw std::runtime_error{"no memory"};
    }
    ScriptedSink::send(std::move(batch));
  }

 private:
  const std::string topic_;
  int calls_ = 0;
};

struct ThrowerBench {
  explicit ThrowerBench(std::string topic) : sink{std::move(topic)} { sink.answer(always(delivered())); }

  void run(int events) {
    for (; events > 0; --events) {
      while (relay.step()) {
      }
      const auto next = relay.next_step();
      if (!next) return;
      clock.set_now(*next);
    }
  }

  ManualClock clock;
  MemoryStorage storage{clock};
  Thrower sink;
  Witness witness;
  Relay relay{{}, {storage, sink, clock, witness}, [] {}, 1};
};

}  // namespace

TEST_CASE("outage: a sink that throws whatever it is given counts as an outage") {
  ThrowerBench bench{""};
  const std::int64_t row = bench.storage.save({.topic = "t", .payload = "p"}).row;
  bench.storage.save({.topic = "t", .payload = "p"});
  bench.run(200);
  CHECK(bench.storage.pending() == 2);
  CHECK(bench.storage.medium()->rows.at(row).attempts == 0);
  CHECK(bench.witness.count("sink down: no memory") > 10);
  CHECK(bench.witness.count("sink down: no socket") > 5);
  CHECK_FALSE(bench.relay.snapshot().failure.has_value());
}

TEST_CASE("outage: a message that makes the sink throw is found, and the others get through") {
  ThrowerBench bench{"bad"};
  for (int i = 0; i < 10; ++i) bench.storage.save({.topic = i == 4 ? "bad" : "t", .payload = "p"});
  bench.run(1000);
  CHECK(bench.storage.pending() == 0);
  CHECK(bench.storage.medium()->dead.size() == 1);
  CHECK(bench.storage.medium()->dead.count(5) == 1);
}

TEST_CASE("outage: a storage that has failed is left alone until its time, whatever it announces") {
  Bench bench;
  bench.run();
  CHECK_FALSE(bench.relay->backs_off());
  bool fails = true;
  int looks = 0;
  bench.storage->fail([&](StorageCall call) {
    looks += call == StorageCall::look ? 1 : 0;
    if (fails) throw StorageError{"look", "the disk is busy", "wait"};
  });
  bench.run();
  CHECK(bench.relay->backs_off());
  REQUIRE(bench.relay->next_step());
  const int before = looks;
  CHECK_FALSE(bench.relay->step());
  CHECK(looks == before);
  fails = false;
  bench.clock.set_now(*bench.relay->next_step());
  bench.run();
  CHECK_FALSE(bench.relay->backs_off());
}
