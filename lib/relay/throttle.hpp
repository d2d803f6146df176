// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/route.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace satchel::relay {

/// Keeps a route to its messages and bytes a second. Two token buckets, each of which holds one second's
/// worth, and at least one message; both are full at the start. A message that is larger than a bucket goes
/// when that one is full, and is paid off afterwards, so that the average holds. Pure: it is told the time.
///
/// Ask `admits`, hand over, say `take`; when it does not admit, ask again at `next`.
class Throttle {
 public:
  explicit Throttle(const RouteOptions& route) noexcept
      : messages_{route.messages_per_second}, bytes_{route.bytes_per_second} {}

  /// One more message of so many bytes may go now.
  bool admits(std::size_t bytes, BootTime now) const noexcept;
  /// It goes.
  void take(std::size_t bytes, BootTime now) noexcept;
  /// When a message of so many bytes may go, which is not now; nothing: now. At least a little later, so that
  /// what has come together meanwhile goes with it and shares the cost of a hand-over.
  std::optional<BootTime> next(std::size_t bytes, BootTime now) const noexcept;

 private:
  /// Remembers when it will be full instead of how much is in it: whole nanoseconds, in which nothing is
  /// lost by rounding and `next` is never too early.
  class Bucket {
   public:
    explicit Bucket(double per_second) noexcept;
    /// When so much may be taken out, in nanoseconds of the boot clock.
    std::int64_t ready(std::size_t amount) const noexcept;
    void take(std::size_t amount, std::int64_t now) noexcept;

   private:
    std::int64_t time_for(std::size_t amount) const noexcept;

    double per_second_;       // 0: no limit
    std::int64_t burst_ = 0;  // time in which it fills from empty
    std::int64_t full_ = 0;   // when it is full again
  };

  Bucket messages_;
  Bucket bytes_;
};

}  // namespace satchel::relay
