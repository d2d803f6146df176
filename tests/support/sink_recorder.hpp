// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace support {

using satchel::Receipt;
using satchel::SinkEvents;

/// The relay's place in tests of a sink: records what the sink says, in order, and waits for it by name.
class SinkRecorder final : public SinkEvents {
 public:
  enum class Kind { receipts, up, down };
  struct Event {
    Kind kind;
    std::vector<Receipt> receipts;
    Receipt cause;
  };

  void receipts(std::vector<Receipt> batch) noexcept override {
    note({Kind::receipts, std::move(batch), {}});
  }
  void up() noexcept override { note({Kind::up, {}, {}}); }
  void down(Receipt cause) noexcept override { note({Kind::down, {}, std::move(cause)}); }

  /// Waits for the next up or down after those that were waited for before. Nothing: neither came in time.
  std::optional<Event> wait_change(std::chrono::milliseconds patience = kPatience) {
    std::unique_lock lock{mutex_};
    std::optional<Event> found;
    changed_.wait_for(lock, patience, [&] {
      while (!found && looked_at_ < events_.size()) {
        const Event& event = events_[looked_at_++];
        if (event.kind != Kind::receipts) found = event;
      }
      return found.has_value();
    });
    return found;
  }

  bool wait_up(std::chrono::milliseconds patience = kPatience) {
    const auto event = wait_change(patience);
    return event && event->kind == Kind::up;
  }

  /// The cause of the next change when that is a down.
  std::optional<Receipt> wait_down(std::chrono::milliseconds patience = kPatience) {
    const auto event = wait_change(patience);
    if (!event || event->kind != Kind::down) return std::nullopt;
    return event->cause;
  }

  /// Waits until `count` receipts have come since the start; all of them so far, in order.
  std::vector<Receipt> wait_receipts(std::size_t count, std::chrono::milliseconds patience = kPatience) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, patience, [&] { return receipts_.size() >= count; });
    return receipts_;
  }

  std::vector<Event> events() const {
    const std::lock_guard lock{mutex_};
    return events_;
  }

  static constexpr std::chrono::milliseconds kPatience{20'000};

 private:
  void note(Event event) {
    const std::lock_guard lock{mutex_};
    receipts_.insert(receipts_.end(), event.receipts.begin(), event.receipts.end());
    events_.push_back(std::move(event));
    changed_.notify_all();
  }

  // guarded by mutex_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  std::vector<Receipt> receipts_;
  std::size_t looked_at_ = 0;
};

}  // namespace support
