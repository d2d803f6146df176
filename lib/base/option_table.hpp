// SPDX-License-Identifier: MIT
//
// Every option whose value one can write down in one line, with its range: the one list that checking and the
// environment go by.
#pragma once

#include <satchel/options.hpp>

#include <chrono>
#include <cstdint>
#include <limits>

namespace satchel {

/// Calls `visitor.range(name, value, low, high)` for numbers and durations, `visitor.range_or_zero` and
/// `visitor.power_of_two` for those that are special, and `visitor.choice(name, value)` for everything else.
/// A range that depends on another option comes after that one. `OptionsType` is `Options` or `const
/// Options`.
template <class OptionsType, class Visitor>
// A list, not a course of action. NOLINTNEXTLINE(readability-function-size)
void for_each_option(OptionsType& options, Visitor& visitor) {
  using std::chrono::milliseconds;
  using Bytes = std::uint64_t;
  constexpr milliseconds kNone{0};
  constexpr milliseconds kTick{1};
  constexpr milliseconds kSecond = std::chrono::seconds{1};
  constexpr milliseconds kHour = std::chrono::hours{1};
  constexpr milliseconds kDay = std::chrono::days{1};
  constexpr Bytes kMiB = 1ULL << 20U;
  constexpr Bytes kGiB = 1ULL << 30U;
  constexpr Bytes kMaxCount = std::numeric_limits<std::int64_t>::max();

  visitor.choice("durability", options.durability);
  visitor.choice("external_writers", options.external_writers);
  visitor.range("polling_interval", options.polling_interval, kTick, kDay);
  visitor.range("max_attempts", options.max_attempts, 1, 1'000'000);
  visitor.range("max_age", options.max_age, kNone, 3653 * kDay);
  visitor.range("retry_backoff.base", options.retry_backoff.base, kTick, kDay);
  visitor.range("retry_backoff.factor", options.retry_backoff.factor, 1.0, 100.0);
  visitor.range("retry_backoff.cap", options.retry_backoff.cap, options.retry_backoff.base, 30 * kDay);
  visitor.range("probe_backoff.base", options.probe_backoff.base, kTick, kDay);
  visitor.range("probe_backoff.factor", options.probe_backoff.factor, 1.0, 100.0);
  visitor.range("probe_backoff.cap", options.probe_backoff.cap, options.probe_backoff.base, 30 * kDay);
  visitor.range("blocked_probe", options.blocked_probe, kTick, 30 * kDay);
  visitor.range("stable_after", options.stable_after, kNone, kDay);
  visitor.range("claim_timeout", options.claim_timeout, kTick, kDay);
  visitor.choice("dead_key", options.dead_key);
  visitor.range("bulk_share", options.bulk_share, Bytes{0}, Bytes{1'000'000});
  visitor.range("drain_jitter", options.drain_jitter, kNone, kDay);
  visitor.choice("announce_topic", options.announce_topic);
  visitor.choice("on_restore", options.on_restore);
  visitor.choice("device_id", options.device_id);
  visitor.choice("on_damage", options.on_damage);
  visitor.choice("check_at_open", options.check_at_open);

  visitor.range("window", options.window, Bytes{1}, Bytes{65'535});
  visitor.range("window_bytes", options.window_bytes, Bytes{1}, kGiB);
  visitor.range("max_unsettled", options.max_unsettled, Bytes{1}, Bytes{1'000'000});
  visitor.range("max_payload_bytes", options.max_payload_bytes, Bytes{0}, 256 * kMiB);
  visitor.range("max_header_bytes", options.max_header_bytes, Bytes{0}, kMiB);
  visitor.range("max_transaction_messages", options.max_transaction_messages, Bytes{1}, Bytes{10'000'000});
  visitor.range("max_event_depth", options.max_event_depth, Bytes{1}, Bytes{1000});
  visitor.range("quota.messages", options.quota.messages, Bytes{0}, kMaxCount);
  visitor.range("quota.bytes", options.quota.bytes, Bytes{0}, kMaxCount);
  visitor.range("quota.keep_free", options.quota.keep_free, Bytes{0}, kMaxCount);
  visitor.choice("quota.when_full", options.quota.when_full);
  visitor.choice("quota.exact", options.quota.exact);
  visitor.range("quota.urgent.messages", options.quota.urgent.messages, Bytes{0}, kMaxCount);
  visitor.range("quota.urgent.bytes", options.quota.urgent.bytes, Bytes{0}, kMaxCount);
  visitor.range("quota.normal.messages", options.quota.normal.messages, Bytes{0}, kMaxCount);
  visitor.range("quota.normal.bytes", options.quota.normal.bytes, Bytes{0}, kMaxCount);
  visitor.range("quota.bulk.messages", options.quota.bulk.messages, Bytes{0}, kMaxCount);
  visitor.range("quota.bulk.bytes", options.quota.bulk.bytes, Bytes{0}, kMaxCount);
  visitor.range_or_zero("max_file_bytes", options.max_file_bytes, Bytes{65'536}, kMaxCount);
  visitor.choice("reserve", options.reserve);
  visitor.range_or_zero("max_free_bytes", options.max_free_bytes, Bytes{4096}, kMaxCount);
  visitor.range("busy_timeout", options.busy_timeout, kNone, 600 * kSecond);
  visitor.range("gate_report_after", options.gate_report_after, kTick, kHour);
  visitor.range("async_queue", options.async_queue, Bytes{1}, Bytes{1'000'000});
  visitor.choice("async_full", options.async_full);

  visitor.range("async_batch", options.async_batch, Bytes{1}, Bytes{10'000});
  visitor.range("async_linger", options.async_linger, kNone, kSecond);
  visitor.range("batch_size", options.batch_size, Bytes{1}, Bytes{10'000});
  visitor.range("settle_linger", options.settle_linger, kNone, kHour);
  visitor.power_of_two("page_size", options.page_size, Bytes{512}, Bytes{65'536});
  visitor.range("cache_bytes", options.cache_bytes, Bytes{16'384}, kGiB);
  visitor.range_or_zero("memory_budget", options.memory_budget, Bytes{262'144}, 4 * kGiB);
  visitor.range("checkpoint_bytes", options.checkpoint_bytes, Bytes{32'768}, kGiB);
  visitor.range("max_wal_bytes", options.max_wal_bytes, Bytes{options.checkpoint_bytes}, 4 * kGiB);
  visitor.choice("vfs", options.vfs);
}

}  // namespace satchel
