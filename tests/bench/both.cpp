// SPDX-License-Identifier: MIT
//
// Producers flat out while the relay drains: what is left of their commit rate, and how long messages are
// under way.
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "bench/stopwatch_sink.hpp"
#include "support/broker.hpp"
#include "support/temp_dir.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace {

using bench::Figures;
using Clock = std::chrono::steady_clock;

struct Load {
  int threads = 1;
  bool full = true;
  std::chrono::milliseconds time{1000};
};

/// Commits a business row and a message again and again, on so many threads.
struct Producers {
  satchel::Outbox& outbox;
  std::shared_ptr<bench::Stopwatch> watch;

  std::uint64_t run(const Load& load) {
    const auto until = Clock::now() + load.time;
    std::atomic<std::uint64_t> commits{0};
    const auto work = [&] {
      const satchel::Message message{.topic = "bench", .payload = std::string(100, 'x')};
      std::uint64_t mine = 0;
      for (; Clock::now() < until; ++mine) {
        auto tx = outbox.begin();
        tx.execute("INSERT INTO reading(sensor, celsius) VALUES (?, ?)", "boiler", 71.5);
        const satchel::MessageId id = tx.enqueue(message);
        tx.commit();
        watch->committed(id.row);
      }
      commits += mine;
    };
    std::vector<std::thread> threads;
    for (int i = 1; i < load.threads; ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    return commits.load();
  }
};

Figures produce(const Load& load, std::uint16_t port) {
  const support::TempDir directory;
  auto count = std::make_shared<bench::Count>();
  satchel::Options options;
  options.observer = count;
  options.durability = load.full ? satchel::Durability::full : satchel::Durability::relaxed;
  // With a relay or without, the log starts anew at this size; what is measured begins after the first time.
  options.checkpoint_bytes = options.max_wal_bytes = 1U << 20U;
  satchel::Outbox outbox{directory.path() + "/bench.db", options};
  {
    auto tx = outbox.begin();
    tx.execute("CREATE TABLE reading(id INTEGER PRIMARY KEY, sensor TEXT, celsius REAL)");
    tx.commit();
  }
  const std::size_t warm = 500;
  bench::enqueue(outbox, warm, std::string(100, 'x'), 1);
  auto watch = std::make_shared<bench::Stopwatch>(4'000'000);
  if (port != 0) {
    auto mqtt = std::make_unique<satchel::MqttSink>(satchel::MqttOptions{.host = "127.0.0.1", .port = port});
    outbox.attach(std::make_unique<bench::StopwatchSink>(std::move(mqtt), watch));
    outbox.start();
    count->wait(warm);
  }
  const std::size_t before = watch->answers();
  const bench::Meter meter;
  const std::uint64_t commits = Producers{outbox, watch}.run(load);
  Figures figures = meter.each(static_cast<double>(commits));
  if (port == 0) return figures;
  const double delivered = static_cast<double>(watch->answers() - before) / meter.seconds();
  count->wait(warm + commits);
  outbox.stop(std::chrono::seconds{10});
  const std::vector<double> waits = watch->waits();
  figures.emplace_back("delivered_rate", delivered);
  figures.emplace_back("p50_us", bench::quantile(waits, 0.5));
  figures.emplace_back("p99_us", bench::quantile(waits, 0.99));
  return figures;
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"both", count, words};
    const support::Broker broker;
    for (const bool full : {true, false}) {
      for (const int threads : {1, 8}) {
        const Load load{threads, full, std::chrono::milliseconds{program.sized(3000, 500)}};
        const std::string name = std::to_string(threads) + (threads == 1 ? " producer, " : " producers, ") +
                                 (full ? "full" : "relaxed") + ", 100 B, flat out";
        const std::vector<bench::Variant> variants{{"producers alone", [&] { return produce(load, 0); }},
                                                   {"satchel", [&] { return produce(load, broker.port()); }}};
        if (full) {
          program.row(name, variants, {{"satchel", "rate", "producers alone", 0.9}});
        } else {
          program.row(name, variants);
        }
      }
    }
  });
}
