// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/memory_storage.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include "relay/isolation.hpp"
#include "relay/policy.hpp"
#include "relay/relay.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satchel::relay {

using namespace std::chrono_literals;
using testing::ManualClock;
using testing::MemoryMedium;
using testing::MemoryStorage;
using testing::ScriptedSink;
using testing::StorageCall;

/// Keeps what it is told, one line a call.
class Witness final : public Observer {
 public:
  void delivered(const MessageId& id, int attempts) noexcept override { say("delivered", id, attempts); }
  void retrying(const MessageId& id, int attempts, const std::string&,
                std::chrono::milliseconds backoff) noexcept override {
    say("retrying", id, attempts);
    backoffs.push_back(backoff);
  }
  void died(const MessageId& id, DeadReason reason, const std::string&) noexcept override {
    say("died", id, static_cast<int>(reason));
  }
  void expired(const MessageId& id) noexcept override { say("expired", id, 0); }
  void sink_up(const std::string&) noexcept override { lines.push_back("sink up"); }
  void sink_down(const std::string&, const std::string& reason, bool alarm,
                 std::chrono::milliseconds pause) noexcept override {
    lines.push_back((alarm ? "alarm: " : "sink down: ") + reason);
    pauses.push_back(pause);
  }
  void leading(bool leads) noexcept override { lines.push_back(leads ? "leads" : "stands by"); }
  void failing(const std::string& problem, const std::string&) noexcept override {
    lines.push_back("failing: " + problem);
  }
  void healed() noexcept override { lines.push_back("healed"); }
  void notice(const std::string& text) noexcept override { lines.push_back("notice: " + text); }

  std::size_t count(const std::string& start) const {
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [&](const std::string& line) { return line.rfind(start, 0) == 0; }));
  }

  std::vector<std::string> lines;
  std::vector<std::chrono::milliseconds> pauses;
  std::vector<std::chrono::milliseconds> backoffs;

 private:
  void say(const char* what, const MessageId& id, int number) {
    lines.push_back(std::string{what} + " " + std::to_string(id.row) + " " + std::to_string(number));
  }
};

/// A relay over a storage in memory and a scripted sink, in virtual time.
struct Bench {
  explicit Bench(Options changed = {}) : options{std::move(changed)} { start(); }
  ~Bench() { CHECK(sink->breaches() == std::vector<std::string>{}); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void start() {
    storage = std::make_unique<MemoryStorage>(clock, medium);
    sink = std::make_unique<ScriptedSink>(capacity);
    relay = std::make_unique<Relay>(
        options, Relay::Ports{*storage, *sink, clock, witness}, [this] { ++wakes; }, 7);
  }

  /// The process dies and another one starts; the sink comes up with `answer`.
  void crash(ScriptedSink::Answer answer = {}) {
    relay.reset();
    storage.reset();
    start();
    sink->answer(std::move(answer));
  }

  std::int64_t put(const std::string& key = {}, const std::string& topic = "t", std::string payload = "p") {
    return storage->save({.topic = topic, .payload = std::move(payload), .key = key}).row;
  }
  std::vector<std::int64_t> put_many(int count, const std::string& key = {}, const std::string& topic = "t") {
    std::vector<std::int64_t> rows;
    for (int i = 0; i < count; ++i) rows.push_back(put(key, topic));
    return rows;
  }

  /// Steps until nothing more is done. It must come to rest, and must not ask to be stepped again at once.
  void run() {
    int rounds = 0;
    while (relay->step()) REQUIRE(++rounds < 100'000);
    const auto next = relay->next_step();
    CHECK((!next || *next > clock.now()));
  }
  /// Moves the clock from event to event, `time` in all.
  void run_for(std::chrono::microseconds time) {
    const BootTime end = clock.now() + time;
    run();
    for (int events = 0;; ++events) {
      REQUIRE(events < 1'000'000);
      const auto next = relay->next_step();
      if (!next || *next > end) break;
      clock.set_now(*next);
      run();
    }
    clock.set_now(end);
    run();
  }

  std::vector<std::int64_t> sent() {
    std::vector<std::int64_t> rows;
    for (const Delivery& delivery : sink->take_sent()) rows.push_back(delivery.id.row);
    return rows;
  }
  std::vector<std::int64_t> under_way() const {
    std::vector<std::int64_t> rows;
    for (const Delivery& delivery : sink->under_way()) rows.push_back(delivery.id.row);
    return rows;
  }
  bool reply(std::int64_t row, const Receipt& receipt) {
    for (const Delivery& delivery : sink->under_way()) {
      if (delivery.id.row == row) return sink->reply(delivery.claim, receipt);
    }
    return false;
  }
  const MemoryMedium::Row& row(std::int64_t number) const { return medium->rows.at(number); }

  Options options;
  std::size_t capacity = 1000;
  ManualClock clock;
  std::shared_ptr<MemoryMedium> medium = std::make_shared<MemoryMedium>();
  Witness witness;
  int wakes = 0;
  std::unique_ptr<MemoryStorage> storage;
  std::unique_ptr<ScriptedSink> sink;
  std::unique_ptr<Relay> relay;
};

using Rows = std::vector<std::int64_t>;

inline ScriptedSink::Answer always(Receipt receipt) {
  return [receipt](const Delivery&) { return receipt; };
}

}  // namespace satchel::relay
