// SPDX-License-Identifier: MIT
#include "store/retry_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>

namespace satchel::store {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;

constexpr int kMostAttempts = 1'000'000;
constexpr milliseconds kLongestBase = days{1};
constexpr milliseconds kLongestPause = days{30};
constexpr milliseconds kOldest = days{3653};

/// The part up to `separator`, which is taken off `text` together with it.
std::string_view next_part(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

template <class Number>
std::optional<Number> number(std::string_view text, Number low, Number high) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !(value >= low && value <= high)) return std::nullopt;
  return value;
}

std::optional<milliseconds> duration(std::string_view text, milliseconds low, milliseconds high) {
  const auto value = number<std::int64_t>(text, low.count(), high.count());
  if (!value) return std::nullopt;
  return milliseconds{*value};
}

std::optional<Backoff> backoff(std::string_view text) {
  const auto base = duration(next_part(text, ':'), milliseconds{1}, kLongestBase);
  const auto factor = number<double>(next_part(text, ':'), 1.0, 100.0);
  if (!base || !factor) return std::nullopt;
  const auto cap = duration(text, *base, kLongestPause);
  if (!cap) return std::nullopt;
  return Backoff{*base, *factor, *cap};
}

}  // namespace

std::string encode_retry(const RetryPolicy& policy) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " ") + part; };
  if (policy.max_attempts) add(fmt::format("n{}", *policy.max_attempts));
  if (const auto& b = policy.backoff)
    add(fmt::format("b{}:{}:{}", b->base.count(), b->factor, b->cap.count()));
  if (policy.max_age) add(fmt::format("a{}", policy.max_age->count()));
  return text;
}

std::optional<RetryPolicy> decode_retry(std::string_view text) {
  RetryPolicy policy;
  while (!text.empty()) {
    std::string_view part = next_part(text, ' ');
    if (part.empty()) continue;
    const char kind = part.front();
    part.remove_prefix(1);
    if (kind == 'n') policy.max_attempts = number<int>(part, 1, kMostAttempts);
    if (kind == 'b') policy.backoff = backoff(part);
    if (kind == 'a') policy.max_age = duration(part, milliseconds{0}, kOldest);
  }
  if (policy == RetryPolicy{}) return std::nullopt;
  return policy;
}

}  // namespace satchel::store
