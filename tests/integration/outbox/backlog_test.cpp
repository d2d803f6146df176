// SPDX-License-Identifier: MIT
//
// The main job against a real broker: a backlog that waited for it, and a broker that dies in the middle.
#include "support/broker.hpp"
#include "support/subscriber.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <doctest/doctest.h>

#include <condition_variable>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace {

using support::Broker;
using support::Subscriber;
using support::TempDir;

constexpr int kKeys = 50;

/// Counts what the relay reports and lets the test wait for it.
class Witness final : public satchel::Observer {
 public:
  void delivered(const satchel::MessageId&, int attempts) noexcept override {
    const std::lock_guard lock{mutex_};
    ++delivered_;
    attempts_ += attempts;
    changed_.notify_all();
  }
  void retrying(const satchel::MessageId&, int, const std::string&,
                std::chrono::milliseconds) noexcept override {
    const std::lock_guard lock{mutex_};
    ++attempts_;
  }
  void sink_down(const std::string&, const std::string&, bool, std::chrono::milliseconds) noexcept override {
    const std::lock_guard lock{mutex_};
    ++downs_;
    changed_.notify_all();
  }
  bool wait_delivered(std::size_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::minutes{3}, [&] { return delivered_ >= count; });
  }
  bool wait_down(int count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return downs_ >= count; });
  }
  int attempts() const {
    const std::lock_guard lock{mutex_};
    return attempts_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t delivered_ = 0;
  int attempts_ = 0;
  int downs_ = 0;
};

int backlog_wanted() {
  const char* text = std::getenv("TEST_BACKLOG");
  return text != nullptr ? std::stoi(text) : 100'000;
}

/// `count` messages, every second one with one of the keys, numbered in the payload.
void enqueue(satchel::Outbox& outbox, int count, int first = 0) {
  for (int number = first; number < first + count;) {
    satchel::Transaction tx = outbox.begin();
    for (int each = 0; each < 1000 && number < first + count; ++each, ++number) {
      const std::string key = number % 2 == 0 ? "key-" + std::to_string(number / 2 % kKeys) : std::string{};
      tx.enqueue({.topic = "backlog", .payload = std::to_string(number), .key = key});
    }
    tx.commit();
  }
}

/// Every number from 0 up arrived, and within a key each number's first arrival came after those of all lower
/// ones.
void check_arrivals(const std::vector<support::Received>& arrived, int count) {
  std::set<int> seen;
  std::map<int, int> newest_of_key;
  int disordered = 0;
  for (const support::Received& one : arrived) {
    const int number = std::stoi(one.payload);
    if (!seen.insert(number).second || number % 2 != 0) continue;
    int& newest = newest_of_key.try_emplace(number / 2 % kKeys, -1).first->second;
    if (number < newest) ++disordered;
    newest = std::max(newest, number);
  }
  CHECK(seen.size() == static_cast<std::size_t>(count));
  CHECK(disordered == 0);
}

satchel::Options options_with(std::shared_ptr<Witness> witness) {
  satchel::Options options;
  options.observer = std::move(witness);
  options.probe_backoff = {std::chrono::milliseconds{5}, 2.0, std::chrono::milliseconds{50}};
  return options;
}

}  // namespace

TEST_CASE(
    "outbox: a backlog that grew while the broker was away arrives whole, in the order of its keys, no "
    "attempt counted") {
  const int count = backlog_wanted();
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  Broker broker;
  broker.kill();
  auto witness = std::make_shared<Witness>();
  {
    satchel::Outbox outbox{path, options_with(witness)};
    outbox.attach(satchel::MqttSink{{.host = "127.0.0.1", .port = broker.port()}});
    outbox.start();
    REQUIRE(witness->wait_down(2));
    enqueue(outbox, count);
    CHECK(outbox.status().pending == static_cast<std::uint64_t>(count));
    REQUIRE(witness->wait_down(5));
    CHECK(outbox.status().delivered == 0);
  }
  broker.restart();
  // Before the relay: a broker keeps nothing for a subscriber that comes later.
  Subscriber subscriber{broker.port()};
  satchel::Outbox outbox{path, options_with(witness)};
  outbox.attach(satchel::MqttSink{{.host = "127.0.0.1", .port = broker.port()}});
  outbox.start();
  REQUIRE(witness->wait_delivered(static_cast<std::size_t>(count)));
  CHECK(outbox.stop(std::chrono::seconds{30}));
  CHECK(outbox.status().pending == 0);
  CHECK(outbox.status().dead == 0);
  CHECK(witness->attempts() == 0);
  const std::vector<support::Received> arrived = subscriber.wait(static_cast<std::size_t>(count));
  CHECK(arrived.size() == static_cast<std::size_t>(count));
  check_arrivals(arrived, count);
}

TEST_CASE("outbox: a broker that is killed again and again in the middle of a window loses nothing") {
  constexpr int kRounds = 5;
  constexpr int kEach = 2000;
  const TempDir directory;
  Broker broker;
  auto witness = std::make_shared<Witness>();
  satchel::Outbox outbox{directory.path() + "/device.db", options_with(witness)};
  outbox.attach(satchel::MqttSink{{.host = "127.0.0.1", .port = broker.port()}});
  outbox.start();
  for (int round = 0; round < kRounds; ++round) {
    enqueue(outbox, kEach, round * kEach);
    REQUIRE(witness->wait_delivered(static_cast<std::size_t>(round * kEach + 200)));
    broker.kill();
    REQUIRE(witness->wait_down(round + 1));
    broker.restart();
  }
  REQUIRE(witness->wait_delivered(kRounds * kEach));
  CHECK(outbox.stop(std::chrono::seconds{30}));
  CHECK(outbox.status().pending == 0);
  CHECK(outbox.status().dead == 0);
  CHECK(witness->attempts() == 0);
}
