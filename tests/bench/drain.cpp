// SPDX-License-Identifier: MIT
//
// How fast a backlog drains from disk to a broker on this machine, beside a publisher that stores nothing.
// Both run in turns in one run; the ratio is the figure to look at. Usage: bench-drain [MESSAGES
// [REPETITIONS]]
#include "bench/bare_publisher.hpp"
#include "support/broker.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using support::BarePublisher;
using support::Broker;

/// Told of every recorded delivery; lets a thread wait for a number of them.
class Count final : public satchel::Observer {
 public:
  void delivered(const satchel::MessageId&, int) noexcept override {
    const std::lock_guard lock{mutex_};
    if (++count_ == wanted_) reached_.notify_all();
  }
  void wait(std::size_t wanted) {
    std::unique_lock lock{mutex_};
    wanted_ = wanted;
    reached_.wait(lock, [&] { return count_ >= wanted_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable reached_;
  std::size_t count_ = 0;
  std::size_t wanted_ = 0;
};

double drain(std::uint16_t port, std::size_t messages, const std::string& payload, std::size_t window) {
  const support::TempDir directory;
  auto count = std::make_shared<Count>();
  satchel::Options options;
  options.observer = count;
  options.window = window;
  options.window_bytes = 64U << 20U;
  options.max_unsettled = std::max<std::size_t>(200, 2 * window);
  satchel::Outbox outbox{directory.path() + "/bench.db", options};
  for (std::size_t done = 0; done < messages;) {
    satchel::Transaction tx = outbox.begin();
    for (int each = 0; each < 1000 && done < messages; ++each, ++done) {
      tx.enqueue({.topic = "bench", .payload = payload});
    }
    tx.commit();
  }
  outbox.attach(satchel::MqttSink{{.host = "127.0.0.1", .port = port, .window = window}});
  const auto start = std::chrono::steady_clock::now();
  outbox.start();
  count->wait(messages);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outbox.stop(std::chrono::seconds{10});
  return seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const std::size_t messages = count > 1 ? std::stoul(arguments[1]) : 100'000;
  const int repetitions = count > 2 ? std::stoi(arguments[2]) : 5;
  Broker broker;
  fmt::print(
      "| payload | window | bare publisher, messages/s | satchel from disk, messages/s | ratio (range) "
      "|\n|---|---|---|---|---|\n");
  for (const std::size_t size : {std::size_t{100}, std::size_t{1024}, std::size_t{16'384}}) {
    const std::size_t total = size > 10'000 ? messages / 10 : messages;
    const std::string payload(size, 'x');
    std::vector<double> bare;
    std::vector<double> ours;
    std::vector<double> ratios;
    for (int repetition = 0; repetition < repetitions; ++repetition) {
      bare.push_back(static_cast<double>(total) / BarePublisher::run(broker.port(), total, payload, 100));
      ours.push_back(static_cast<double>(total) / drain(broker.port(), total, payload, 100));
      ratios.push_back(ours.back() / bare.back());
    }
    fmt::print("| {} B | 100 | {:.0f} | {:.0f} | {:.2f} ({:.2f} to {:.2f}) |\n", size, median(bare),
               median(ours), median(ratios), *std::min_element(ratios.begin(), ratios.end()),
               *std::max_element(ratios.begin(), ratios.end()));
  }
  return EXIT_SUCCESS;
}
