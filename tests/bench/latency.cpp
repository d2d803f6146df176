// SPDX-License-Identifier: MIT
//
// How long a message is under way: from the commit's return to its PUBACK, beside a bare publish and PUBACK
// at the same rate.
#include "bench/bare_publisher.hpp"
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "bench/stopwatch_sink.hpp"
#include "support/broker.hpp"
#include "support/temp_dir.hpp"

#include <poll.h>

#include <memory>

namespace {

using bench::Figures;
using bench::Stopwatch;
using Clock = std::chrono::steady_clock;

Figures figures_of(const std::vector<double>& microseconds) {
  return {{"p50_us", bench::quantile(microseconds, 0.5)},
          {"p99_us", bench::quantile(microseconds, 0.99)},
          {"longest_us", bench::quantile(microseconds, 1)}};
}

void wait_until(Clock::time_point due) {
  const auto left = std::max(due - Clock::now(), Clock::duration::zero());
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec span{whole.count(),
                      std::chrono::duration_cast<std::chrono::nanoseconds>(left - whole).count()};
  ::ppoll(nullptr, 0, &span, nullptr);
}

Figures satchel_latency(std::uint16_t port, std::size_t messages, double rate,
                        satchel::Durability durability) {
  const support::TempDir directory;
  auto watch = std::make_shared<Stopwatch>(messages + 1);
  auto count = std::make_shared<bench::Count>();
  satchel::Options options;
  options.durability = durability;
  options.observer = count;
  satchel::Outbox outbox{directory.path() + "/bench.db", options};
  auto mqtt = std::make_unique<satchel::MqttSink>(satchel::MqttOptions{.host = "127.0.0.1", .port = port});
  outbox.attach(std::make_unique<bench::StopwatchSink>(std::move(mqtt), watch));
  outbox.start();
  const satchel::Message message{.topic = "bench", .payload = std::string(100, 'x')};
  // The first one waits for the connection.
  outbox.enqueue(message);
  count->wait(1);
  const auto pause = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{1 / rate});
  auto due = Clock::now() + pause;
  for (std::size_t i = 0; i < messages; ++i, due += pause) {
    wait_until(due);
    const satchel::MessageId id = outbox.enqueue(message);
    watch->committed(id.row);
  }
  count->wait(messages + 1);
  outbox.stop(std::chrono::seconds{10});
  return figures_of(watch->waits());
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"latency", count, words};
    const support::Broker broker;
    for (const double rate : {1.0, 200.0, 2000.0}) {
      const double seconds = program.sized(rate < 100 ? 30.0 : 10.0, rate < 100 ? 4.0 : 1.0);
      const auto messages = static_cast<std::size_t>(rate * seconds);
      const auto latency = [&](satchel::Durability durability) {
        return satchel_latency(broker.port(), messages, rate, durability);
      };
      program.row(std::to_string(static_cast<int>(rate)) + " a second, 100 B",
                  {{"bare round trip",
                    [&] {
                      bench::BarePublisher publisher{broker.port()};
                      return figures_of(publisher.round_trips(messages, std::string(100, 'x'), rate));
                    }},
                   {"satchel", [&] { return latency(satchel::Durability::full); }},
                   {"satchel, relaxed", [&] { return latency(satchel::Durability::relaxed); }}},
                  {{"satchel", "p50_us", "bare round trip", 0, 2}}, rate < 100 ? program.sized(3, 1) : 0);
    }
  });
}
