// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bench {

/// When each message was committed and when its receipt came. Rows are numbered from 1 to `most`.
/// Thread-safe.
class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Stopwatch(std::size_t most) : committed_(most + 1), answered_(most + 1) {}

  void committed(std::int64_t row) noexcept { set(committed_, row); }
  void answered(std::int64_t row) noexcept {
    set(answered_, row);
    answers_.fetch_add(1);
  }
  std::size_t answers() const noexcept { return answers_.load(); }

  /// From the commit's return to the receipt, in microseconds, of those that have both.
  std::vector<double> waits() const {
    std::vector<double> found;
    for (std::size_t row = 0; row < committed_.size(); ++row) {
      const auto from = committed_[row].load();
      const auto to = answered_[row].load();
      // A receipt can be faster than the return of the commit that woke the relay.
      if (from != 0 && to != 0)
        found.push_back(static_cast<double>(std::max<std::int64_t>(to - from, 0)) / 1e3);
    }
    return found;
  }

 private:
  using Times = std::vector<std::atomic<std::int64_t>>;
  static void set(Times& times, std::int64_t row) noexcept {
    if (row > 0 && static_cast<std::size_t>(row) < times.size())
      times[static_cast<std::size_t>(row)] = Clock::now().time_since_epoch().count();
  }

  Times committed_;
  Times answered_;
  std::atomic<std::size_t> answers_{0};
};

/// Another sink, with the time of each receipt taken.
class StopwatchSink final : public satchel::Sink, private satchel::SinkEvents {
 public:
  StopwatchSink(std::unique_ptr<satchel::Sink> sink, std::shared_ptr<Stopwatch> watch)
      : sink_{std::move(sink)}, watch_{std::move(watch)} {}

  void start(satchel::SinkEvents& events) override {
    events_ = &events;
    sink_->start(*this);
  }
  void resume() override { sink_->resume(); }
  void send(std::vector<satchel::Delivery> batch) override {
    {
      const std::lock_guard lock{mutex_};
      for (const satchel::Delivery& delivery : batch) rows_.emplace(delivery.claim, delivery.id.row);
    }
    sink_->send(std::move(batch));
  }
  void reset() override { sink_->reset(); }
  void stop(std::chrono::milliseconds timeout) noexcept override { sink_->stop(timeout); }
  std::size_t capacity() const noexcept override { return sink_->capacity(); }
  std::chrono::milliseconds linger() const noexcept override { return sink_->linger(); }
  std::string name() const override { return sink_->name(); }

 private:
  void receipts(std::vector<satchel::Receipt> batch) noexcept override {
    {
      const std::lock_guard lock{mutex_};
      for (const satchel::Receipt& receipt : batch) {
        const auto found = rows_.find(receipt.claim);
        if (found == rows_.end()) continue;
        if (receipt.verdict == satchel::Verdict::delivered) watch_->answered(found->second);
        rows_.erase(found);
      }
    }
    events_->receipts(std::move(batch));
  }
  void up() noexcept override { events_->up(); }
  void down(satchel::Receipt cause) noexcept override { events_->down(std::move(cause)); }

  std::unique_ptr<satchel::Sink> sink_;
  std::shared_ptr<Stopwatch> watch_;
  satchel::SinkEvents* events_ = nullptr;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::int64_t> rows_;  // guarded by mutex_
};

}  // namespace bench
