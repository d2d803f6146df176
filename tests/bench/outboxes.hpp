// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/satchel.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Told of every recorded delivery; lets a thread wait for a number of them.
class Count final : public satchel::Observer {
 public:
  void delivered(const satchel::MessageId&, int) noexcept override {
    const std::lock_guard lock{mutex_};
    if (++count_ == mark_) marked_at_ = std::chrono::steady_clock::now();
    if (count_ == wanted_) reached_.notify_all();
  }
  /// Remembers when so many had been recorded.
  void mark(std::size_t count) {
    const std::lock_guard lock{mutex_};
    mark_ = count;
  }
  double seconds_since_mark() const {
    const std::lock_guard lock{mutex_};
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - marked_at_).count();
  }
  /// Waits until so many were recorded in all; throws when it takes more than ten minutes.
  void wait(std::size_t wanted) {
    std::unique_lock lock{mutex_};
    wanted_ = wanted;
    if (!reached_.wait_for(lock, std::chrono::minutes{10}, [&] { return count_ >= wanted_; }))
      throw std::runtime_error{"only " + std::to_string(count_) + " messages were delivered"};
  }
  std::size_t count() const {
    const std::lock_guard lock{mutex_};
    return count_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable reached_;
  std::size_t count_ = 0;
  std::size_t wanted_ = 0;
  std::size_t mark_ = 0;
  std::chrono::steady_clock::time_point marked_at_{};
};

/// Takes everything at once and answers at once; keeps nothing.
class NullSink : public satchel::Sink {
 public:
  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    std::vector<satchel::Receipt> receipts(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) receipts[i].claim = batch[i].claim;
    events_->receipts(std::move(receipts));
  }
  void reset() override { events_->down(satchel::down("reset")); }
  void stop(std::chrono::milliseconds) noexcept override {}
  std::size_t capacity() const noexcept override { return 65'535; }
  std::string name() const override { return "null"; }

 private:
  satchel::SinkEvents* events_ = nullptr;
};

/// Commits `messages` of them, `each` a transaction.
inline void enqueue(satchel::Outbox& outbox, std::size_t messages, const std::string& payload,
                    std::size_t each = 1000, const std::string& topic = "bench") {
  for (std::size_t done = 0; done < messages;) {
    satchel::Transaction tx = outbox.begin();
    for (std::size_t i = 0; i < each && done < messages; ++i, ++done)
      tx.enqueue({.topic = topic, .payload = payload});
    tx.commit();
  }
}

/// The window everywhere it is set.
inline satchel::Options with_window(std::size_t window) {
  satchel::Options options;
  options.window = window;
  options.window_bytes = 64U << 20U;
  options.max_unsettled = std::max<std::size_t>(200, 2 * window);
  return options;
}

}  // namespace bench
