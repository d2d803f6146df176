// SPDX-License-Identifier: MIT
#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <malloc.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using satchel::Priority;

namespace {

std::uint64_t backlog() {
  const char* text = std::getenv("TEST_POLICIES");
  return text == nullptr ? 1'000'000 : std::stoull(text);
}

/// What a message is, as its payload says: the receiver judges by that alone.
struct Fate {
  std::uint64_t number = 0;
  int priority = 0;
  bool expires = false;

  std::string text() const {
    return std::to_string(number) + ' ' + std::to_string(priority) + (expires ? " e" : " -");
  }
  static Fate of(const std::string& text) {
    Fate fate;
    std::size_t end = 0;
    fate.number = std::stoull(text, &end);
    fate.priority = text.at(end + 1) - '0';
    fate.expires = text.back() == 'e';
    return fate;
  }
};

/// A receiver that checks the order within keys and priorities, and counts.
class Receiver {
 public:
  void take(const satchel::Delivery& delivery) {
    const Fate fate = Fate::of(delivery.payload);
    CHECK_FALSE(fate.expires);
    if (!delivery.key.empty()) {
      std::int64_t& last = last_[{delivery.key, fate.priority}];
      CHECK_MESSAGE(delivery.id.row > last,
                    "key " << delivery.key << " is out of order at " << delivery.id.row);
      last = delivery.id.row;
    }
    ++by_priority[static_cast<std::size_t>(fate.priority)];
    if (fate.priority != static_cast<int>(Priority::urgent)) {
      ++later;
    } else if (later > 0 && delivery.key.empty()) {
      overtaken = later;
    }
    // While normal messages wait, bulk has its share of them and no more.
    if (fate.priority == static_cast<int>(Priority::bulk) && !normal_done) ++bulk_among_normal;
  }

  std::uint64_t count() const { return by_priority[0] + by_priority[1] + by_priority[2]; }

  std::array<std::uint64_t, 3> by_priority{};
  std::uint64_t later = 0;
  /// Others that were sent before the last urgent message without a key.
  std::uint64_t overtaken = 0;
  std::uint64_t bulk_among_normal = 0;
  bool normal_done = false;

 private:
  std::map<std::pair<std::string, int>, std::int64_t> last_;
};

struct Plan {
  /// By route (up, down), priority and whether it expires.
  std::array<std::array<std::array<std::uint64_t, 2>, 3>, 2> made{};

  std::uint64_t living(std::size_t route, std::size_t priority) const { return made[route][priority][0]; }
  std::uint64_t living(std::size_t route) const {
    return living(route, 0) + living(route, 1) + living(route, 2);
  }
  std::uint64_t expiring(std::size_t route) const {
    return made[route][0][1] + made[route][1][1] + made[route][2][1];
  }
};

Plan fill(satchel::Outbox& outbox, std::uint64_t messages) {
  Plan plan;
  std::mt19937_64 random{20261123};
  for (std::uint64_t done = 0; done < messages;) {
    auto tx = outbox.begin();
    for (std::uint64_t end = std::min(done + 10'000, messages); done < end; ++done) {
      const std::uint64_t draw = random();
      const std::size_t route = draw % 2;
      const std::uint64_t kind = (draw >> 8U) % 10;
      const Priority priority = kind == 0 ? Priority::urgent : kind < 4 ? Priority::bulk : Priority::normal;
      Fate fate{done, static_cast<int>(priority), (draw >> 16U) % 3 == 0};
      satchel::Message message{.topic = route == 0 ? "up/reading" : "down/reading", .payload = fate.text()};
      if ((draw >> 24U) % 3 != 0) message.key = "key-" + std::to_string((draw >> 32U) % 997);
      if (priority != Priority::normal) message.priority = priority;
      if (fate.expires) message.expires_after = 1h;
      tx.enqueue(message);
      ++plan.made[route][static_cast<std::size_t>(priority)][fate.expires ? 1 : 0];
    }
    tx.commit();
  }
  return plan;
}

std::size_t heap() { return mallinfo2().uordblks; }

}  // namespace

TEST_CASE(
    "policies: a large backlog of all kinds drains in order, counted to the last message, in flat memory") {
  const std::uint64_t messages = backlog();
  const support::TempDir directory;
  auto clock = std::make_shared<satchel::testing::ManualClock>();
  satchel::Options options;
  options.durability = satchel::Durability::relaxed;
  options.clock = clock;
  options.settle_linger = 0ms;
  satchel::Outbox outbox{directory.path() + "/outbox.db", options};

  auto up = std::make_unique<satchel::testing::ScriptedSink>();
  auto down = std::make_unique<satchel::testing::ScriptedSink>();
  satchel::testing::ScriptedSink& local = *up;
  satchel::testing::ScriptedSink& remote = *down;
  Receiver first;
  Receiver second;
  std::size_t most_heap = 0;
  const auto taken_by = [&most_heap](Receiver& receiver) {
    return [&](const satchel::Delivery& delivery) {
      receiver.take(delivery);
      if (receiver.count() % 1000 == 0) most_heap = std::max(most_heap, heap());
      return satchel::delivered();
    };
  };
  up->answer(taken_by(first));
  down->answer(taken_by(second));
  down->refuse(satchel::down("no network"));
  outbox.attach(std::move(up), {.name = "near", .topics = {"up/#"}});
  outbox.attach(std::move(down), {.name = "far", .topics = {"down/#"}});

  const Plan plan = fill(outbox, messages);
  clock->advance(2h);
  const std::size_t heap_before = heap();
  const auto drain = [&](const Receiver& receiver, std::size_t route) {
    for (int idle = 0; idle < 20 && receiver.count() < plan.living(route);) {
      idle = outbox.run_once() ? 0 : idle + 1;
      // A scripted sink remembers all that it was given.
      local.take_sent();
      remote.take_sent();
      if (idle > 0) clock->advance(1s);
      if (receiver.by_priority[0] == plan.living(route, 0))
        const_cast<Receiver&>(receiver).normal_done = true;
    }
    for (int idle = 0; idle < 5;) idle = outbox.run_once() ? 0 : idle + 1;
  };

  drain(first, 0);
  for (std::size_t priority = 0; priority < 3; ++priority) {
    CAPTURE(priority);
    CHECK(first.by_priority[priority] == plan.living(0, priority));
  }
  CHECK(second.count() == 0);
  CHECK(first.overtaken == 0);
  const double share = static_cast<double>(first.bulk_among_normal) / static_cast<double>(plan.living(0, 0));
  CHECK(share > 0.05);
  // More than its share only where nothing else could be sent: one message of a key at a time.
  CHECK(share < 0.75);

  remote.refuse(std::nullopt);
  clock->advance(10min);
  drain(second, 1);
  CHECK(second.count() == plan.living(1));
  CHECK(second.overtaken == 0);
  CHECK(outbox.status().pending == 0);
  CHECK(outbox.status().dead == 0);
  std::uint64_t expired = 0;
  for (const satchel::Dropped& dropped : outbox.dropped()) {
    CHECK(dropped.reason == satchel::DropReason::expired);
    CHECK(dropped.unconfirmed == 0);
    expired += dropped.messages;
  }
  CHECK(expired == plan.expiring(0) + plan.expiring(1));
  CHECK(first.count() + second.count() + expired == messages);
  // The sanitizers keep their own heap.
  if (heap_before != 0) CHECK(most_heap < heap_before + (4U << 20U));
}
