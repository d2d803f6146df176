// SPDX-License-Identifier: MIT
//
// What a key costs the others that is blocked behind a dead letter with very many messages of its own.
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <memory>

namespace {

using bench::Figures;

/// Refuses the blocked key for good; takes all others.
class Refusing final : public bench::NullSink {
 public:
  void start(satchel::SinkEvents& events) override {
    events_ = &events;
    NullSink::start(events);
  }
  void send(std::vector<satchel::Delivery> batch) override {
    const auto refused = std::stable_partition(batch.begin(), batch.end(),
                                               [](const satchel::Delivery& d) { return d.key != "blocked"; });
    std::vector<satchel::Receipt> receipts;
    for (auto each = refused; each != batch.end(); ++each) {
      receipts.push_back(satchel::reject("refused"));
      receipts.back().claim = each->claim;
    }
    batch.erase(refused, batch.end());
    if (!receipts.empty()) events_->receipts(std::move(receipts));
    if (!batch.empty()) NullSink::send(std::move(batch));
  }

 private:
  satchel::SinkEvents* events_ = nullptr;
};

/// Plain SQL makes them faster than one enqueue after the other.
void block(satchel::Outbox& outbox, std::size_t messages) {
  auto tx = outbox.begin();
  tx.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
      " INSERT INTO satchel_message(topic, payload, key, boot, created)"
      " SELECT 'valve', printf('%.*c', 100, 'x'), 'blocked', 1, 1 FROM n",
      static_cast<std::int64_t>(messages));
  tx.commit();
}

Figures others(std::size_t blocked, std::size_t messages) {
  const support::TempDir directory;
  auto count = std::make_shared<bench::Count>();
  satchel::Options options;
  options.observer = count;
  options.dead_key = satchel::DeadKey::block;
  options.durability = satchel::Durability::relaxed;
  satchel::Outbox outbox{directory.path() + "/bench.db", options};
  if (blocked > 0) block(outbox, blocked);
  outbox.attach(std::make_unique<Refusing>());
  outbox.start();
  // It is delivered when the pass over those before it is over.
  outbox.enqueue({.topic = "valve", .payload = "first", .key = "first"});
  count->wait(1);
  const bench::Meter meter;
  constexpr std::size_t kEach = 100;
  for (std::size_t done = 0; done < messages; done += kEach) {
    auto tx = outbox.begin();
    for (std::size_t i = 0; i < kEach; ++i)
      tx.enqueue({.topic = "valve", .payload = std::string(100, 'x'), .key = "key-" + std::to_string(i)});
    tx.commit();
  }
  count->wait(1 + messages);
  Figures figures = meter.each(static_cast<double>(messages));
  figures.emplace_back("still_pending", static_cast<double>(outbox.status().pending));
  outbox.stop(std::chrono::seconds{10});
  return figures;
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"blocked_key", count, words};
    const auto blocked = program.sized<std::size_t>(1'000'000, 50'000);
    const auto messages = program.sized<std::size_t>(500'000, 20'000);
    program.row("messages of 100 other keys, " + std::to_string(blocked) + " wait behind a dead one",
                {{"nothing blocked", [&] { return others(0, messages); }},
                 {"satchel", [&] { return others(blocked, messages); }}},
                {{"satchel", "cpu_us", "nothing blocked", 0, 1.05}});
  });
}
