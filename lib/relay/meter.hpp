// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace satchel::relay {

/// How much came in the last ten seconds. One thread at a time; a copy may be read elsewhere.
class Meter {
 public:
  static constexpr std::int64_t kSeconds = 10;

  struct Rate {
    double messages = 0;
    double bytes = 0;
  };

  void add(BootTime now, std::size_t bytes) noexcept {
    const std::int64_t second = second_of(now);
    Bucket& bucket = buckets_[static_cast<std::size_t>(second % kSeconds)];
    if (bucket.second != second) bucket = {second, 0, 0};
    ++bucket.messages;
    bucket.bytes += bytes;
  }

  Rate per_second(BootTime now) const noexcept {
    const std::int64_t second = second_of(now);
    Rate rate;
    for (const Bucket& bucket : buckets_) {
      if (bucket.second <= second - kSeconds || bucket.second > second) continue;
      rate.messages += static_cast<double>(bucket.messages) / static_cast<double>(kSeconds);
      rate.bytes += static_cast<double>(bucket.bytes) / static_cast<double>(kSeconds);
    }
    return rate;
  }

 private:
  struct Bucket {
    std::int64_t second = -kSeconds;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };

  static std::int64_t second_of(BootTime time) noexcept {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
    return seconds > 0 ? seconds : 0;
  }

  std::array<Bucket, kSeconds> buckets_{};
};

}  // namespace satchel::relay
