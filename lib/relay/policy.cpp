// SPDX-License-Identifier: MIT
#include "relay/policy.hpp"

#include <algorithm>
#include <cmath>

namespace satchel::relay {

milliseconds Jitter::draw(milliseconds most) noexcept {
  // SplitMix64 (Steele, Lea, Flood 2014): one addition and two multiplications, any seed is a good seed.
  state_ += 0x9E3779B97F4A7C15U;
  std::uint64_t bits = state_;
  bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBU;
  bits ^= bits >> 31U;
  if (most.count() <= 0) return milliseconds{0};
  return milliseconds{static_cast<milliseconds::rep>(bits % (static_cast<std::uint64_t>(most.count()) + 1))};
}

milliseconds ceiling(const Backoff& backoff, int failures) noexcept {
  const double steps = static_cast<double>(std::max(failures, 1) - 1);
  const double longest = static_cast<double>(backoff.base.count()) * std::pow(backoff.factor, steps);
  if (!(longest < static_cast<double>(backoff.cap.count()))) return backoff.cap;
  return milliseconds{static_cast<milliseconds::rep>(longest)};
}

milliseconds capped_wish(const Backoff& backoff, milliseconds wish) noexcept {
  return std::clamp<milliseconds>(wish, milliseconds{0},
                                  std::max<milliseconds>(backoff.cap, std::chrono::hours{1}));
}

milliseconds pause_after(const Backoff& backoff, int failures, milliseconds wish, Jitter& jitter) noexcept {
  if (wish.count() <= 0) return jitter.draw(ceiling(backoff, failures));
  // A whole fleet may have been told the same time: spread it.
  return capped_wish(backoff, wish) + jitter.draw(backoff.base);
}

Decision count_attempt(int attempts, milliseconds aged, const RetryLimits& limits) noexcept {
  const int now = attempts + 1;
  if (now >= limits.max_attempts) return {Act::die, now, DeadReason::attempts};
  if (limits.max_age.count() > 0 && aged >= limits.max_age) return {Act::die, now, DeadReason::age};
  return {Act::fail, now, DeadReason::attempts};
}

Decision decide(const Receipt& receipt, int attempts, milliseconds aged, const RetryLimits& limits) noexcept {
  switch (receipt.verdict) {
    case Verdict::delivered:
      return {Act::deliver, attempts, DeadReason::rejected};
    case Verdict::retry:
      return count_attempt(attempts, aged, limits);
    case Verdict::reject:
      return {Act::die, attempts + 1, DeadReason::rejected};
    case Verdict::blocked:
      return {Act::hold, attempts, DeadReason::rejected};
    case Verdict::down:
      break;
  }
  return {Act::give_back, attempts, DeadReason::rejected};
}

std::size_t weight(const StoredMessage& message) noexcept {
  std::size_t bytes =
      message.topic.size() + message.payload.size() + message.key.size() + message.content_type.size();
  for (const Header& header : message.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

std::size_t retrying_limit(const Options& options) noexcept { return 10 * options.window; }

std::size_t key_limit(const Options& options) noexcept {
  return options.window + retrying_limit(options) + options.batch_size;
}

}  // namespace satchel::relay
