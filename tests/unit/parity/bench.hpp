// SPDX-License-Identifier: MIT
#pragma once

#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace parity {

using namespace std::chrono_literals;
using satchel::Delivery;
using satchel::Message;
using satchel::MessageId;
using satchel::Options;
using satchel::Outbox;
using satchel::Transaction;
using satchel::testing::ManualClock;
using satchel::testing::ScriptedSink;
using Texts = std::vector<std::string>;

/// Keeps what a user would see in the log.
class Log final : public satchel::Observer {
 public:
  void retrying(const MessageId&, int attempts, const std::string& error,
                std::chrono::milliseconds) noexcept override {
    lines.push_back("attempt " + std::to_string(attempts) + " failed: " + error);
  }
  void died(const MessageId&, satchel::DeadReason, const std::string& error) noexcept override {
    lines.push_back("dead: " + error);
  }
  void failing(const std::string& problem, const std::string&) noexcept override {
    lines.push_back("failing: " + problem);
  }
  void healed() noexcept override { lines.emplace_back("healed"); }

  bool has(const std::string& start) const {
    for (const std::string& line : lines) {
      if (line.rfind(start, 0) == 0) return true;
    }
    return false;
  }

  Texts lines;
};

/// An outbox in a real file over a sink that the test plays, in virtual time.
struct Bench {
  explicit Bench(Options changed = {}) : options{std::move(changed)} {
    if (!options.clock) options.clock = clock;
    options.observer = log;
    open();
  }

  /// Opens the file anew: the restart of the program after an orderly end.
  void open() {
    outbox.reset();
    auto owned = std::make_unique<ScriptedSink>();
    sink = owned.get();
    outbox = std::make_unique<Outbox>(path, options);
    outbox->attach(std::move(owned));
  }

  void accept() const {
    sink->answer([](const Delivery&) { return satchel::delivered(); });
  }
  void fail_all() const {
    sink->answer([](const Delivery&) { return satchel::retry("HTTP 500"); });
  }

  MessageId put(const std::string& payload, const std::string& key = {}) const {
    return outbox->enqueue({.topic = "t", .payload = payload, .key = key});
  }

  /// Rounds of the relay until there is nothing to do.
  void run() const {
    while (outbox->run_once()) {
    }
  }
  void run_after(std::chrono::microseconds time) const {
    clock->advance(time);
    run();
  }

  /// Payloads of what was handed over since the last call, in order.
  Texts sent() const {
    Texts payloads;
    for (const Delivery& delivery : sink->take_sent()) payloads.push_back(delivery.payload);
    return payloads;
  }

  std::uint64_t pending() const { return outbox->status().pending; }

  /// One number out of the file, seen by somebody else.
  std::int64_t look(const std::string& query) const {
    SQLite::Database other{path, SQLite::OPEN_READONLY};
    return other.execAndGet(query).getInt64();
  }

  support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<Log> log = std::make_shared<Log>();
  Options options;
  ScriptedSink* sink = nullptr;
  std::unique_ptr<Outbox> outbox;
};

}  // namespace parity
