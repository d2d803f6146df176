// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// What an EchoSink took, shared with the test. Thread-safe.
class Echo {
 public:
  void add(satchel::Delivery delivery) {
    const std::lock_guard lock{mutex_};
    taken_.push_back(std::move(delivery));
    changed_.notify_all();
  }
  std::vector<satchel::Delivery> taken() const {
    const std::lock_guard lock{mutex_};
    return taken_;
  }
  /// Waits until `count` deliveries came; false after a minute.
  bool wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return taken_.size() >= count; });
  }
  std::vector<std::string> payloads() const {
    std::vector<std::string> all;
    for (const satchel::Delivery& delivery : taken()) all.push_back(delivery.payload);
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<satchel::Delivery> taken_;
};

/// Takes everything at once and answers at once, by `answer` or with delivered.
class EchoSink final : public satchel::Sink {
 public:
  using Answer = std::function<satchel::Receipt(const satchel::Delivery&)>;

  explicit EchoSink(std::shared_ptr<Echo> echo, Answer answer = {})
      : echo_{std::move(echo)}, answer_{std::move(answer)} {}

  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    std::vector<satchel::Receipt> receipts;
    for (satchel::Delivery& delivery : batch) {
      receipts.push_back(answer_ ? answer_(delivery) : satchel::delivered());
      receipts.back().claim = delivery.claim;
      echo_->add(std::move(delivery));
    }
    events_->receipts(std::move(receipts));
  }
  void reset() override { events_->down(satchel::down("reset")); }
  void stop(std::chrono::milliseconds) noexcept override {}
  std::size_t capacity() const noexcept override { return 1000; }
  std::string name() const override { return "echo"; }

 private:
  std::shared_ptr<Echo> echo_;
  Answer answer_;
  satchel::SinkEvents* events_ = nullptr;
};

}  // namespace support
