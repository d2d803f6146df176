// SPDX-License-Identifier: MIT
#include "relay/throttle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace satchel::relay {

namespace {

using std::chrono::nanoseconds;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr BootTimeTag::duration kCompany = std::chrono::milliseconds{5};
// 100 years: far beyond what any message costs, and far from an overflow when it is added to a time.
constexpr double kMost = 100.0 * 365 * 86'400 * kSecond;

std::int64_t nanoseconds_of(BootTime time) noexcept { return nanoseconds{time.time_since_epoch()}.count(); }

}  // namespace

Throttle::Bucket::Bucket(double per_second) noexcept : per_second_{per_second} {
  // A bucket of messages at less than one a second has to hold one all the same.
  if (per_second_ > 0) burst_ = std::max(kSecond, time_for(1));
  full_ = std::numeric_limits<std::int64_t>::min() / 4;
}

std::int64_t Throttle::Bucket::time_for(std::size_t amount) const noexcept {
  const double time = std::ceil(static_cast<double>(amount) * static_cast<double>(kSecond) / per_second_);
  return static_cast<std::int64_t>(std::min(time, kMost));
}

std::int64_t Throttle::Bucket::ready(std::size_t amount) const noexcept {
  if (per_second_ <= 0) return std::numeric_limits<std::int64_t>::min();
  return full_ - std::max<std::int64_t>(burst_ - time_for(amount), 0);
}

void Throttle::Bucket::take(std::size_t amount, std::int64_t now) noexcept {
  if (per_second_ > 0)
    full_ = std::min(std::max(full_, now), now + static_cast<std::int64_t>(kMost)) + time_for(amount);
}

bool Throttle::admits(std::size_t bytes, BootTime now) const noexcept {
  return std::max(messages_.ready(1), bytes_.ready(bytes)) <= nanoseconds_of(now);
}

void Throttle::take(std::size_t bytes, BootTime now) noexcept {
  messages_.take(1, nanoseconds_of(now));
  bytes_.take(bytes, nanoseconds_of(now));
}

std::optional<BootTime> Throttle::next(std::size_t bytes, BootTime now) const noexcept {
  if (admits(bytes, now)) return std::nullopt;
  const nanoseconds ready{std::max(messages_.ready(1), bytes_.ready(bytes))};
  return std::max(BootTime{std::chrono::ceil<BootTimeTag::duration>(ready)}, now + kCompany);
}

}  // namespace satchel::relay
