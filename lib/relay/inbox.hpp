// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <satchel/sink.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <variant>
#include <vector>

namespace satchel::relay {

struct SinkUp {};
struct SinkDown {
  Receipt cause;
};
using SinkEvent = std::variant<std::vector<Receipt>, SinkUp, SinkDown>;

/// Where a sink's events wait for the relay, in order. Thread-safe; one wake for each time that it stops
/// being empty.
class Inbox final : public SinkEvents {
 public:
  explicit Inbox(std::function<void()> wake) : wake_{std::move(wake)} {}

  void receipts(std::vector<Receipt> batch) noexcept override;
  void up() noexcept override;
  void down(Receipt cause) noexcept override;

  std::vector<SinkEvent> take();

  /// Events that did not fit: a sink that answers more than it was given.
  std::uint64_t overflowed() const;

 private:
  // A sound sink answers what it was given, at most 65,535 deliveries, and a few ups and downs.
  static constexpr std::size_t kMaxWeight = 300'000;

  void add(SinkEvent event, std::size_t weight) noexcept;

  const std::function<void()> wake_;

  mutable Mutex mutex_;
  std::vector<SinkEvent> events_ SATCHEL_GUARDED_BY(mutex_);
  std::size_t held_ SATCHEL_GUARDED_BY(mutex_) = 0;
  std::uint64_t overflowed_ SATCHEL_GUARDED_BY(mutex_) = 0;
};

}  // namespace satchel::relay
