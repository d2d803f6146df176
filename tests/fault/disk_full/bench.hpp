// SPDX-License-Identifier: MIT
//
// An outbox on a disk that may be full, with a receiver that writes down what came and an oracle of what was
// acknowledged, both outside of that disk.
#pragma once

#include "small_disk.hpp"

#include "support/report.hpp"

#include <satchel/error.hpp>
#include <satchel/outbox.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace disk_full {

using std::chrono::milliseconds;

/// What the outbox tells: only troubles count here.
struct Troubles final : satchel::Observer {
  void failing(const std::string& problem, const std::string& hint) noexcept override {
    ++failing_times;
    last_problem = problem;
    last_hint = hint;
  }
  void healed() noexcept override { ++healed_times; }

  int failing_times = 0;
  int healed_times = 0;
  std::string last_problem;
  std::string last_hint;
};

/// Small limits, so that everything fits on a disk of some MiB.
inline satchel::Options small_options() {
  satchel::Options options;
  options.max_file_bytes = 1U << 20U;
  options.max_payload_bytes = 64U << 10U;
  options.checkpoint_bytes = 64U << 10U;
  options.max_wal_bytes = 1U << 20U;
  options.settle_linger = milliseconds{0};
  options.retry_backoff = {milliseconds{10}, 1.0, milliseconds{10}};
  options.probe_backoff = {milliseconds{10}, 1.0, milliseconds{10}};
  options.busy_timeout = milliseconds{0};
  return options;
}

/// The same, and the file may grow as far as the disk lets it.
inline satchel::Options without_quota() {
  satchel::Options options = small_options();
  options.max_file_bytes = 0;
  options.window = 10;
  options.max_unsettled = 20;
  return options;
}

class Bench {
 public:
  using Answer = std::function<satchel::Receipt(const satchel::Delivery&)>;

  Bench(const SmallDisk& disk, const satchel::Options& options) : Bench{disk.path(), options} {}
  Bench(const std::string& folder, satchel::Options options)
      : path{folder + "/box.db"}, options_{std::move(options)} {
    options_.clock = clock_;
    options_.observer = troubles_;
  }

  satchel::Outbox& open() {
    auto sink = std::make_unique<satchel::testing::ScriptedSink>();
    sink->answer([this](const satchel::Delivery& delivery) -> std::optional<satchel::Receipt> {
      ++sent;
      satchel::Receipt receipt = answer(delivery);
      if (receipt.verdict == satchel::Verdict::delivered) ++received[delivery.payload.substr(0, 8)];
      return receipt;
    });
    outbox = std::make_unique<satchel::Outbox>(path, options_);
    outbox->attach(std::move(sink));
    return *outbox;
  }

  void make_table() {
    satchel::Transaction tx = outbox->begin();
    tx.execute("CREATE TABLE IF NOT EXISTS business(number INTEGER PRIMARY KEY)");
    tx.commit();
  }

  /// One business row and one message; the error goes to the caller.
  void enqueue(std::size_t size = 100) {
    const int number = ++numbers_;
    std::string payload = std::to_string(10'000'000 + number);
    payload.resize(std::max<std::size_t>(size, 8), 'x');
    satchel::Transaction tx = outbox->begin();
    tx.execute("INSERT INTO business(number) VALUES (?)", number);
    tx.enqueue({.topic = "t", .payload = payload});
    tx.commit();
    acknowledged.insert(number);
  }

  /// Business rows count on from here.
  void number_from(int number) { numbers_ = number; }

  /// Until the quota or the disk says no; how many went in.
  int enqueue_until_full(std::size_t size = 100) {
    for (int count = 0;; ++count) {
      try {
        enqueue(size);
      } catch (const satchel::FullError&) {
        return count;
      }
    }
  }

  /// Rounds of the relay until it is at rest, or so many.
  void relay(int rounds = 2000) {
    for (int round = 0; round < rounds; ++round) {
      const bool busy = outbox->run_once();
      const satchel::Status status = outbox->status();
      if (!busy && status.pending == 0 && !status.failure) return;
      clock_->advance(milliseconds{200});
    }
  }

  std::set<int> rows() const {
    std::set<int> found;
    satchel::Transaction tx = outbox->begin();
    SQLite::Statement query{tx.database(), "SELECT number FROM business"};
    while (query.executeStep()) found.insert(query.getColumn(0).getInt());
    return found;
  }

  /// Everything acknowledged is there as a row and was received; nothing else is. Dead letters are taken back
  /// before.
  void compare() {
    answer = [](const satchel::Delivery&) { return satchel::delivered(); };
    outbox->replay_all();
    relay();
    CHECK(outbox->status().pending == 0);
    CHECK(outbox->status().dead == 0);
    CHECK(rows() == acknowledged);
    std::set<int> numbers;
    for (const auto& [payload, times] : received) numbers.insert(std::stoi(payload) - 10'000'000);
    CHECK(numbers == acknowledged);
  }

  Troubles& troubles() { return *troubles_; }
  satchel::testing::ManualClock& clock() { return *clock_; }

  const std::string path;
  std::unique_ptr<satchel::Outbox> outbox;
  Answer answer = [](const satchel::Delivery&) { return satchel::delivered(); };
  std::set<int> acknowledged;
  std::map<std::string, int> received;
  int sent = 0;

 private:
  const std::shared_ptr<satchel::testing::ManualClock> clock_ =
      std::make_shared<satchel::testing::ManualClock>();
  const std::shared_ptr<Troubles> troubles_ = std::make_shared<Troubles>();
  satchel::Options options_;
  int numbers_ = 0;
};

/// What errors have to say when there is no room.
struct Told {
  std::string problem{};
  std::string hint{};
};

/// Without a reserve: the disk, which has `fill` and `make_room`, gets full, errors are clear, the relay
/// stops sending what it cannot record, and room heals everything.
template <class Disk>
void live_through(const Disk& disk, Bench& bench, const Told& told, const std::string& what) {
  bench.open();
  bench.make_table();
  for (int i = 0; i < 200; ++i) bench.enqueue(1000);
  // The relay leads and everything before is recorded; the log is in use up to here.
  bench.answer = [](const satchel::Delivery&) { return satchel::down("not yet"); };
  bench.relay(3);
  disk.fill();
  const int more = bench.enqueue_until_full(1000);
  try {
    bench.enqueue(1000);
    FAIL("there is no room");
  } catch (const satchel::FullError& error) {
    CHECK(error.problem().find(told.problem) != std::string::npos);
    CHECK(error.hint().find(told.hint) != std::string::npos);
  }
  bench.answer = [](const satchel::Delivery&) { return satchel::delivered(); };
  bench.sent = 0;
  bench.relay(200);
  const int sent_while_full = bench.sent;
  // The control: it is the disk that stops the relay.
  REQUIRE(bench.outbox->status().pending > 0);
  CHECK(bench.troubles().failing_times > 0);
  CHECK(bench.outbox->status().failure);
  CHECK(bench.troubles().last_hint.find(told.hint) != std::string::npos);
  CHECK(sent_while_full <= static_cast<int>(10 + 20));
  disk.make_room();
  bench.relay();
  CHECK(bench.outbox->status().pending == 0);
  CHECK_FALSE(bench.outbox->status().failure);
  CHECK(bench.troubles().healed_times > 0);
  bench.enqueue(1000);
  bench.compare();
  support::Report report{"disk full", what};
  report.figure("acknowledged on the full disk", more);
  report.figure("sent without being recorded", sent_while_full);
  report.figure("background failures", bench.troubles().failing_times);
  report.figure("healed", bench.troubles().healed_times);
}

}  // namespace disk_full
