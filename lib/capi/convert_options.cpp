// SPDX-License-Identifier: MIT
#include "capi/convert.hpp"

#include <chrono>
#include <limits>

namespace satchel::capi {

namespace {

using std::chrono::milliseconds;

// Where a size has 32 bits, more is the most: it stays out of every range, or is as good as no limit.
std::size_t size_of(std::uint64_t number) noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(number, std::numeric_limits<std::size_t>::max()));
}

Durability durability_of(int durability) {
  if (durability == SATCHEL_DURABILITY_FULL) return Durability::full;
  if (durability == SATCHEL_DURABILITY_RELAXED) return Durability::relaxed;
  throw InvalidOption{"open", "durability is " + std::to_string(durability), "0 (full) or 1 (relaxed)"};
}

void put_quota(const Quota& quota, satchel_options& c) noexcept {
  c.quota_messages = quota.messages;
  c.quota_bytes = quota.bytes;
  c.quota_keep_free = quota.keep_free;
  c.quota_urgent_messages = quota.urgent.messages;
  c.quota_urgent_bytes = quota.urgent.bytes;
  c.quota_normal_messages = quota.normal.messages;
  c.quota_normal_bytes = quota.normal.bytes;
  c.quota_bulk_messages = quota.bulk.messages;
  c.quota_bulk_bytes = quota.bulk.bytes;
  c.quota_when_full = static_cast<int>(quota.when_full);
  c.quota_exact = quota.exact ? 1 : 0;
}

Quota quota_of(const satchel_options& c) {
  if (c.quota_when_full < SATCHEL_WHEN_FULL_REJECT || c.quota_when_full > SATCHEL_WHEN_FULL_DROP_LOWEST) {
    throw InvalidOption{"open", "quota_when_full is " + std::to_string(c.quota_when_full),
                        "a satchel_when_full"};
  }
  Quota quota;
  quota.messages = c.quota_messages;
  quota.bytes = c.quota_bytes;
  quota.keep_free = c.quota_keep_free;
  quota.urgent = {c.quota_urgent_messages, c.quota_urgent_bytes};
  quota.normal = {c.quota_normal_messages, c.quota_normal_bytes};
  quota.bulk = {c.quota_bulk_messages, c.quota_bulk_bytes};
  quota.when_full = static_cast<WhenFull>(c.quota_when_full);
  quota.exact = c.quota_exact != 0;
  return quota;
}

TopicRule rule_of(const satchel_topic_rule* given_rule) {
  const satchel_topic_rule c = read(given_rule, "open");
  TopicRule rule;
  rule.filter = text(c.filter);
  rule.priority = priority_of(c.priority, "open");
  if (c.coalesce != 0) rule.coalesce = true;
  if (c.not_before_ms != 0) rule.not_before = milliseconds{c.not_before_ms};
  if (c.expires_after_ms != 0) rule.expires_after = milliseconds{c.expires_after_ms};
  if (const std::optional<RetryPolicy> retry = retry_of(c, "open")) rule.retry = *retry;
  return rule;
}

// The numbers of the C interface are those of the C++ one.
static_assert(static_cast<int>(WhenFull::reject) == SATCHEL_WHEN_FULL_REJECT);
static_assert(static_cast<int>(WhenFull::drop_oldest) == SATCHEL_WHEN_FULL_DROP_OLDEST);
static_assert(static_cast<int>(WhenFull::drop_newest) == SATCHEL_WHEN_FULL_DROP_NEWEST);
static_assert(static_cast<int>(WhenFull::drop_lowest) == SATCHEL_WHEN_FULL_DROP_LOWEST);
static_assert(static_cast<int>(Drain::oldest_first) == SATCHEL_DRAIN_OLDEST_FIRST);
static_assert(static_cast<int>(Drain::newest_first) == SATCHEL_DRAIN_NEWEST_FIRST);
static_assert(static_cast<int>(Drain::interleaved) == SATCHEL_DRAIN_INTERLEAVED);

}  // namespace

satchel_options to_c(const Options& options) noexcept {
  satchel_options c{};
  c.size = sizeof c;
  c.durability =
      options.durability == Durability::full ? SATCHEL_DURABILITY_FULL : SATCHEL_DURABILITY_RELAXED;
  c.external_writers = options.external_writers ? 1 : 0;
  c.polling_interval_ms = options.polling_interval.count();
  c.max_attempts = options.max_attempts;
  c.max_age_ms = options.max_age.count();
  c.retry_backoff_ms = options.retry_backoff.base.count();
  c.retry_backoff_cap_ms = options.retry_backoff.cap.count();
  c.probe_backoff_ms = options.probe_backoff.base.count();
  c.probe_backoff_cap_ms = options.probe_backoff.cap.count();
  c.blocked_probe_ms = options.blocked_probe.count();
  c.claim_timeout_ms = options.claim_timeout.count();
  c.window = options.window;
  c.window_bytes = options.window_bytes;
  c.max_unsettled = options.max_unsettled;
  c.max_payload_bytes = options.max_payload_bytes;
  c.max_header_bytes = options.max_header_bytes;
  c.max_transaction_messages = options.max_transaction_messages;
  c.max_file_bytes = options.max_file_bytes;
  c.busy_timeout_ms = options.busy_timeout.count();
  c.batch_size = options.batch_size;
  c.settle_linger_ms = options.settle_linger.count();
  c.page_size = options.page_size;
  c.cache_bytes = options.cache_bytes;
  c.memory_budget = options.memory_budget;
  c.checkpoint_bytes = options.checkpoint_bytes;
  c.max_wal_bytes = options.max_wal_bytes;
  c.reserve = options.reserve ? 1 : 0;
  c.max_free_bytes = options.max_free_bytes;
  c.refuse_damaged = options.on_damage == OnDamage::refuse ? 1 : 0;
  c.check_at_open = options.check_at_open ? 1 : 0;
  c.bulk_share = options.bulk_share;
  c.drain_jitter_ms = options.drain_jitter.count();
  c.block_dead_keys = options.dead_key == DeadKey::block ? 1 : 0;
  c.keep_identity = options.on_restore == OnRestore::keep ? 1 : 0;
  put_quota(options.quota, c);
  c.log_level = SATCHEL_LOG_INFO;
  return c;
}

Options to_cpp(const satchel_options& c) {
  Options options;
  options.durability = durability_of(c.durability);
  options.external_writers = c.external_writers != 0;
  options.polling_interval = milliseconds{c.polling_interval_ms};
  options.max_attempts = attempts_of(c.max_attempts, "open");
  options.max_age = milliseconds{c.max_age_ms};
  options.retry_backoff.base = milliseconds{c.retry_backoff_ms};
  options.retry_backoff.cap = milliseconds{c.retry_backoff_cap_ms};
  options.probe_backoff.base = milliseconds{c.probe_backoff_ms};
  options.probe_backoff.cap = milliseconds{c.probe_backoff_cap_ms};
  options.blocked_probe = milliseconds{c.blocked_probe_ms};
  options.claim_timeout = milliseconds{c.claim_timeout_ms};
  options.window = size_of(c.window);
  options.window_bytes = size_of(c.window_bytes);
  options.max_unsettled = size_of(c.max_unsettled);
  options.max_payload_bytes = size_of(c.max_payload_bytes);
  options.max_header_bytes = size_of(c.max_header_bytes);
  options.max_transaction_messages = size_of(c.max_transaction_messages);
  options.max_file_bytes = c.max_file_bytes;
  options.busy_timeout = milliseconds{c.busy_timeout_ms};
  options.batch_size = size_of(c.batch_size);
  options.settle_linger = milliseconds{c.settle_linger_ms};
  options.page_size = size_of(c.page_size);
  options.cache_bytes = size_of(c.cache_bytes);
  options.memory_budget = c.memory_budget;
  options.checkpoint_bytes = size_of(c.checkpoint_bytes);
  options.max_wal_bytes = size_of(c.max_wal_bytes);
  options.reserve = c.reserve != 0;
  options.max_free_bytes = c.max_free_bytes;
  options.on_damage = c.refuse_damaged != 0 ? OnDamage::refuse : OnDamage::salvage;
  options.check_at_open = c.check_at_open != 0;
  options.bulk_share = size_of(c.bulk_share);
  options.drain_jitter = milliseconds{c.drain_jitter_ms};
  options.announce_topic = text(c.announce_topic);
  options.dead_key = c.block_dead_keys != 0 ? DeadKey::block : DeadKey::release;
  options.on_restore = c.keep_identity != 0 ? OnRestore::keep : OnRestore::renew;
  options.quota = quota_of(c);
  options.device_id = text(c.device_id);
  options.vfs = text(c.vfs);
  if (c.topic_count > 0) given(c.topics, "open", "the list of topics");
  for (std::size_t index = 0; index < c.topic_count; ++index)
    options.topics.push_back(rule_of(c.topics[index]));
  return options;
}

RouteOptions to_cpp(const satchel_route& c) {
  RouteOptions route;
  route.name = text(c.name);
  if (c.topic_count > 0) {
    given(c.topics, "attach", "the list of topics");
    route.topics.clear();
    for (std::size_t index = 0; index < c.topic_count; ++index)
      route.topics.emplace_back(given(c.topics[index], "attach", "a topic filter"));
  }
  route.window = size_of(c.window);
  route.window_bytes = size_of(c.window_bytes);
  route.messages_per_second = c.messages_per_second;
  route.bytes_per_second = c.bytes_per_second;
  route.budget = {c.budget_bytes, c.budget_urgent_reserve,
                  c.budget_by_day != 0 ? DataBudget::Period::day : DataBudget::Period::month};
  if (c.quiet_count > 0) given(c.quiet, "attach", "the list of quiet hours");
  for (std::size_t index = 0; index < c.quiet_count; ++index) {
    route.quiet.push_back(
        {std::chrono::minutes{c.quiet[index].from_minute}, std::chrono::minutes{c.quiet[index].to_minute}});
  }
  // Attaching says so when the number is none.
  route.drain = c.drain >= 0 && c.drain <= 255 ? static_cast<Drain>(c.drain) : static_cast<Drain>(255);
  route.sequence = c.sequence != 0;
  route.paused = c.paused != 0;
  return route;
}

}  // namespace satchel::capi
