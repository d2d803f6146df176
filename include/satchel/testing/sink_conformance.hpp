// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::testing {

/// What the conformance checks need to know about a sink. Every check asks for sinks of its own.
class SinkFixture {
 public:
  virtual ~SinkFixture() = default;

  /// A new sink, not started, whose peer is there and accepts every message.
  virtual std::unique_ptr<Sink> make() = 0;

  /// From now on the peer takes messages and does not answer, so that deliveries stay under way. False:
  /// cannot be done; the checks that need it are skipped.
  virtual bool silence_peer() { return false; }
  /// From now on the peer cannot be reached, and connections to it are lost. False: cannot be done.
  virtual bool remove_peer() { return false; }
  /// The peer is there again and answers.
  virtual void restore_peer() {}

  /// Delivery `number` (1, 2, ...) that the peer accepts.
  virtual Delivery delivery(std::uint64_t number) {
    Delivery one;
    one.claim = number;
    one.id.row = static_cast<std::int64_t>(number);
    one.topic = "conformance/topic";
    one.payload = "payload " + std::to_string(number);
    return one;
  }

  /// A secret that the sink was given; empty: none.
  virtual std::string secret() { return {}; }

  /// Longest time to wait for an event.
  virtual std::chrono::milliseconds patience() { return std::chrono::seconds{20}; }
};

/// Keeps what a sink says, for tests that wait for it. Thread-safe.
class SinkLog final : public SinkEvents {
 public:
  void receipts(std::vector<Receipt> batch) noexcept override {
    const std::lock_guard lock{mutex_};
    if (batch.empty()) ++empty_batches_;
    for (Receipt& receipt : batch) {
      if (downs_ > ups_) late_ = true;
      receipts_.push_back(std::move(receipt));
    }
    changed_.notify_all();
  }
  void up() noexcept override {
    const std::lock_guard lock{mutex_};
    ++ups_;
    changed_.notify_all();
  }
  void down(Receipt cause) noexcept override {
    const std::lock_guard lock{mutex_};
    ++downs_;
    cause_ = std::move(cause);
    changed_.notify_all();
  }

  template <typename Condition>
  bool wait(std::chrono::milliseconds patience, Condition condition) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [&] { return condition(*this); });
  }

  std::size_t events() const {
    const std::lock_guard lock{mutex_};
    return receipts_.size() + ups_ + downs_;
  }

  // Read them in the condition of `wait`, or when the sink is silent.
  const std::vector<Receipt>& all() const noexcept { return receipts_; }
  std::size_t ups() const noexcept { return ups_; }
  std::size_t downs() const noexcept { return downs_; }
  const Receipt& cause() const noexcept { return cause_; }
  /// A receipt came after the `down` of its connection.
  bool late() const noexcept { return late_; }
  std::size_t empty_batches() const noexcept { return empty_batches_; }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::vector<Receipt> receipts_;
  std::size_t ups_ = 0;
  std::size_t downs_ = 0;
  std::size_t empty_batches_ = 0;
  Receipt cause_;
  bool late_ = false;
};

namespace sink_checks {

inline void demand(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error{"sink: " + what};
}

/// A started sink that is up.
struct Running {
  explicit Running(SinkFixture& fixture) : patience{fixture.patience()}, sink{fixture.make()} {
    sink->start(log);
    rise(1);
  }
  ~Running() { sink->stop(std::chrono::seconds{5}); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void rise(std::size_t times) {
    sink->resume();
    demand(log.wait(patience, [&](const SinkLog& l) { return l.ups() >= times || l.downs() >= times; }),
           "resume was not answered");
    demand(log.ups() >= times,
           "resume was answered by down although the peer is there: " + log.cause().reason);
  }

  const std::chrono::milliseconds patience;
  SinkLog log;
  std::unique_ptr<Sink> sink;
};

inline std::vector<Delivery> some(SinkFixture& fixture, std::size_t count) {
  std::vector<Delivery> batch;
  for (std::size_t number = 1; number <= count; ++number) batch.push_back(fixture.delivery(number));
  return batch;
}

/// Each of the claims 1 to `count` has exactly one receipt.
inline void demand_each_once(const std::vector<Receipt>& receipts, std::size_t count) {
  std::map<std::uint64_t, int> times;
  for (const Receipt& receipt : receipts) ++times[receipt.claim];
  for (std::uint64_t claim = 1; claim <= count; ++claim) {
    demand(times[claim] == 1,
           "claim " + std::to_string(claim) + " got " + std::to_string(times[claim]) + " receipts");
  }
  demand(times.size() == count, "a receipt names a claim that was not handed over");
}

inline void describes_itself(SinkFixture& fixture) {
  const std::unique_ptr<Sink> sink = fixture.make();
  demand(!sink->name().empty(), "the name is empty");
  demand(sink->capacity() >= 1, "the capacity is 0");
  const std::string secret = fixture.secret();
  demand(secret.empty() || sink->name().find(secret) == std::string::npos, "the name tells a secret");
}

inline void stops_without_start(SinkFixture& fixture) {
  const std::unique_ptr<Sink> sink = fixture.make();
  sink->stop(std::chrono::seconds{1});
}

inline void answers_resume_when_up_already(SinkFixture& fixture) {
  Running running{fixture};
  running.rise(2);
}

inline void answers_each_delivery_once(SinkFixture& fixture) {
  Running running{fixture};
  const std::size_t count = std::min<std::size_t>(running.sink->capacity(), 20);
  running.sink->send(some(fixture, count));
  demand(running.log.wait(running.patience, [&](const SinkLog& l) { return l.all().size() >= count; }),
         "deliveries to a peer that accepts them were not all answered");
  running.sink->stop(std::chrono::seconds{5});
  demand_each_once(running.log.all(), count);
  for (const Receipt& receipt : running.log.all()) {
    demand(receipt.verdict == Verdict::delivered,
           "a delivery that the peer accepts was not delivered: " + receipt.reason);
    demand(!receipt.exposed, "a delivered receipt is exposed");
  }
  demand(running.log.empty_batches() == 0, "an empty batch of receipts");
}

inline void reset_gives_up_what_is_under_way(SinkFixture& fixture) {
  Running running{fixture};
  if (!fixture.silence_peer()) return;
  const std::size_t count = std::min<std::size_t>(running.sink->capacity(), 5);
  running.sink->send(some(fixture, count));
  running.sink->reset();
  const bool answered = running.log.wait(
      running.patience, [&](const SinkLog& l) { return l.all().size() >= count && l.downs() >= 1; });
  fixture.restore_peer();
  demand(answered, "reset did not give up everything and report down");
  demand_each_once(running.log.all(), count);
  for (const Receipt& receipt : running.log.all()) {
    demand(receipt.verdict == Verdict::down && receipt.exposed,
           "reset gave something else than an exposed down");
  }
  demand(!running.log.late(), "a receipt came after the down of its connection");
  running.rise(2);
}

inline void reports_a_peer_that_is_away(SinkFixture& fixture) {
  if (!fixture.remove_peer()) return;
  SinkLog log;
  const std::unique_ptr<Sink> sink = fixture.make();
  sink->start(log);
  sink->resume();
  const bool told = log.wait(fixture.patience(), [](const SinkLog& l) { return l.downs() + l.ups() >= 1; });
  const bool sound =
      told && log.downs() == 1 && log.cause().verdict != Verdict::delivered && !log.cause().reason.empty();
  fixture.restore_peer();
  sink->stop(std::chrono::seconds{5});
  demand(told, "resume was not answered while the peer is away");
  demand(sound, "a peer that is away was not reported as down with a reason");
  const std::string secret = fixture.secret();
  demand(secret.empty() || log.cause().reason.find(secret) == std::string::npos, "the reason tells a secret");
}

inline void reports_a_lost_connection(SinkFixture& fixture) {
  Running running{fixture};
  if (!fixture.silence_peer()) return;
  const std::size_t count = std::min<std::size_t>(running.sink->capacity(), 5);
  running.sink->send(some(fixture, count));
  if (!fixture.remove_peer()) {
    fixture.restore_peer();
    return;
  }
  const bool told =
      running.log.wait(running.patience, [&](const SinkLog& l) { return l.all().size() >= count; });
  fixture.restore_peer();
  demand(told, "deliveries were not answered when their connection was lost");
  demand_each_once(running.log.all(), count);
  for (const Receipt& receipt : running.log.all()) {
    demand(receipt.verdict == Verdict::down || receipt.verdict == Verdict::retry,
           "a lost connection was taken for the message's end");
  }
  demand(!running.log.late(), "a receipt came after the down of its connection");
}

inline void is_silent_after_stop(SinkFixture& fixture) {
  Running running{fixture};
  const bool silent_peer = fixture.silence_peer();
  running.sink->send(some(fixture, std::min<std::size_t>(running.sink->capacity(), 5)));
  const auto begin = std::chrono::steady_clock::now();
  running.sink->stop(std::chrono::milliseconds{200});
  const auto took = std::chrono::steady_clock::now() - begin;
  const std::size_t events = running.log.events();
  running.sink->stop(std::chrono::milliseconds{200});
  if (silent_peer) fixture.restore_peer();
  demand(took < std::chrono::seconds{3}, "stop took far longer than its timeout");
  demand(!running.log.wait(std::chrono::milliseconds{200},
                           [&](const SinkLog& l) { return l.all().size() + l.ups() + l.downs() != events; }),
         "an event was sent after stop");
}

}  // namespace sink_checks

/// One rule of the suite.
struct SinkCheck {
  std::string name;
  /// Throws `std::logic_error` when the sink breaks the rule.
  void (*run)(SinkFixture&);
};

/// The rules of `Sink` that every sink has to keep. Run each with a fixture of its own.
inline std::vector<SinkCheck> all_sink_checks() {
  using namespace sink_checks;
  return {
      {"describes itself without secrets", describes_itself},
      {"stops without a start", stops_without_start},
      {"answers resume when it is up already", answers_resume_when_up_already},
      {"answers each delivery once", answers_each_delivery_once},
      {"gives up what is under way at reset", reset_gives_up_what_is_under_way},
      {"reports a peer that is away", reports_a_peer_that_is_away},
      {"reports a lost connection, receipts first", reports_a_lost_connection},
      {"stops in time and is silent afterwards", is_silent_after_stop},
  };
}

}  // namespace satchel::testing

#pragma GCC visibility pop
