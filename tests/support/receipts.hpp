// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// The relay's side of a sink in a test: keeps what the sink reports. Thread-safe.
class Receipts final : public satchel::SinkEvents {
 public:
  void receipts(std::vector<satchel::Receipt> batch) noexcept override {
    const std::lock_guard lock{mutex_};
    for (satchel::Receipt& receipt : batch) all_.push_back(std::move(receipt));
    changed_.notify_all();
  }
  void up() noexcept override {
    const std::lock_guard lock{mutex_};
    ++ups_;
    changed_.notify_all();
  }
  void down(satchel::Receipt cause) noexcept override {
    const std::lock_guard lock{mutex_};
    downs_.push_back(std::move(cause));
    changed_.notify_all();
  }

  /// The first `count` receipts; throws when they have not come after a minute.
  std::vector<satchel::Receipt> wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return all_.size() >= count; }))
      throw std::runtime_error{"only " + std::to_string(all_.size()) + " receipts of " +
                               std::to_string(count)};
    return all_;
  }
  /// The receipt for a claim; throws when it has not come after a minute.
  satchel::Receipt wait_for_claim(std::uint64_t claim) {
    std::unique_lock lock{mutex_};
    const auto found = [&] {
      return std::find_if(all_.begin(), all_.end(),
                          [&](const auto& receipt) { return receipt.claim == claim; });
    };
    if (!changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return found() != all_.end(); }))
      throw std::runtime_error{"no receipt for claim " + std::to_string(claim)};
    return *found();
  }
  std::vector<satchel::Receipt> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }
  std::size_t ups() const {
    const std::lock_guard lock{mutex_};
    return ups_;
  }
  std::vector<satchel::Receipt> downs() const {
    const std::lock_guard lock{mutex_};
    return downs_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<satchel::Receipt> all_;
  std::vector<satchel::Receipt> downs_;
  std::size_t ups_ = 0;
};

/// A delivery as the relay hands it over; claim and row are the same number.
inline satchel::Delivery delivery(std::int64_t row, std::string topic, std::string payload) {
  satchel::Delivery made;
  made.claim = static_cast<std::uint64_t>(row);
  made.id.identity.fill(0xab);
  made.id.row = row;
  made.topic = std::move(topic);
  made.payload = std::move(payload);
  return made;
}

}  // namespace support
