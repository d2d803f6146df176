// SPDX-License-Identifier: MIT
//
// Group commit at full durability: what 8 producer threads get committed by `enqueue_async`, against one
// thread that commits its messages one by one. Usage: group_commit [DIRECTORY [SECONDS]]; the file is made in
// the directory, the current one by default, because a temporary directory is often in memory, where a sync
// costs nothing.
#include <satchel/satchel.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kProducers = 8;
constexpr std::size_t kPayload = 100;

satchel::Message reading() {
  return {.topic = "plant/boiler/temperature", .payload = std::string(kPayload, 'x')};
}

constexpr int kRounds = 5;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Messages a second that one thread commits one by one.
double alone(satchel::Outbox& outbox, std::chrono::duration<double> time) {
  const auto start = Clock::now();
  std::uint64_t committed = 0;
  while (Clock::now() - start < time) {
    outbox.enqueue(reading());
    ++committed;
  }
  return static_cast<double>(committed) / std::chrono::duration<double>(Clock::now() - start).count();
}

/// The same for 8 threads, each of which has at most `in_flight` messages without an answer.
double together(satchel::Outbox& outbox, std::chrono::duration<double> time, std::size_t in_flight) {
  const auto start = Clock::now();
  std::vector<std::uint64_t> committed(kProducers);
  std::vector<std::thread> producers;
  for (std::uint64_t& mine : committed) {
    producers.emplace_back([&] {
      std::deque<std::future<satchel::MessageId>> later;
      while (Clock::now() - start < time) {
        later.push_back(outbox.enqueue_async(reading()));
        if (later.size() < in_flight) continue;
        later.front().get();
        later.pop_front();
        ++mine;
      }
      for (auto& one : later) {
        one.get();
        ++mine;
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::uint64_t sum = 0;
  for (const std::uint64_t mine : committed) sum += mine;
  return static_cast<double>(sum) / seconds;
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path parent = argc > 1 ? argv[1] : ".";
  const std::chrono::duration<double> time{argc > 2 ? std::strtod(argv[2], nullptr) : 1.0};
  std::string directory = (parent / "group-commit-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) {
    std::perror("mkdtemp");
    return 1;
  }
  {
    satchel::Outbox outbox{directory + "/device.db"};
    together(outbox, time / 4, 1);  // warm
    std::printf("%-24s %12s %8s   (full durability, 100 B payload, medians of %d rounds)\n",
                "unanswered messages each", "messages/s", "factor", kRounds);
    std::vector<double> base;
    for (const std::size_t in_flight : {1U, 4U, 16U, 64U}) {
      // In turns, so that both see the same moods of the disk.
      std::vector<double> rates;
      std::vector<double> factors;
      for (int round = 0; round < kRounds; ++round) {
        base.push_back(alone(outbox, time));
        rates.push_back(together(outbox, time, in_flight));
        factors.push_back(rates.back() / base.back());
      }
      std::printf("8 threads, %13zu %12.0f %8.2f\n", in_flight, median(rates), median(factors));
    }
    std::printf("1 thread, one by one     %12.0f %8.2f\n", median(base), 1.0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}
