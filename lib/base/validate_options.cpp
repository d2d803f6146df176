// SPDX-License-Identifier: MIT
#include "base/option_table.hpp"
#include "base/ranges.hpp"
#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>
#include <utility>

namespace satchel {

namespace {

using std::chrono::days;
using std::chrono::milliseconds;

constexpr milliseconds kTick{1};
constexpr milliseconds kTenYears = days{3653};
constexpr std::size_t kMaxRules = 1000;

void insist(std::optional<Fault> fault) {
  if (fault) throw InvalidOption{"open", std::move(fault->problem), std::move(fault->range)};
}

// Throws for the first option out of its range.
struct Checker {
  template <class Value, class Bound>
  static void range(const char* name, Value value, Bound low, Bound high) {
    insist(out_of_range(name, value, low, high));
  }

  static void range_or_zero(const char* name, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
    if (value != 0) range(name, value, low, high);
  }

  static void power_of_two(const char* name, std::size_t value, std::uint64_t low, std::uint64_t high) {
    if (value >= low && value <= high && std::has_single_bit(value)) return;
    throw InvalidOption{"open", fmt::format("{} is {}", name, value),
                        fmt::format("a power of two from {} to {}", low, high)};
  }

  template <class Value>
  static void choice(const char* /*name*/, const Value& /*value*/) {}
};

// A reserve is as large as other options say.
void check_reserve(const Options& options) {
  if (!options.reserve) return;
  if (options.max_free_bytes != 0) {
    throw InvalidOption{"open", fmt::format("reserve with max_free_bytes {}", options.max_free_bytes),
                        "set one of them: a reserve is space that is not given back"};
  }
  constexpr std::uint64_t kMost = 800ULL << 20U;
  if (options.max_file_bytes == 0 || options.max_file_bytes > kMost) {
    throw InvalidOption{"open", fmt::format("reserve with max_file_bytes {}", options.max_file_bytes),
                        fmt::format("a reserve needs max_file_bytes from 65536 to {}", kMost)};
  }
  // A dead letter is a message written once more, and the pages that it comes from change, too.
  constexpr std::uint64_t kRest = 512ULL << 10U;
  const std::uint64_t least = 2 * (options.max_payload_bytes + options.max_header_bytes) + kRest;
  if (options.max_wal_bytes >= least) return;
  throw InvalidOption{"open", fmt::format("reserve with max_wal_bytes {}", options.max_wal_bytes),
                      fmt::format("at least {}, or lower max_payload_bytes: one message has to fit", least)};
}

using Limit = std::pair<const char*, Quota::Share>;

std::array<Limit, 3> shares_of(const Quota& quota) {
  return {Limit{"quota.urgent", quota.urgent}, Limit{"quota.normal", quota.normal},
          Limit{"quota.bulk", quota.bulk}};
}

/// What an announcement needs: its own place, and the bytes of the largest one.
void check_room_to_announce(const Quota& quota) {
  constexpr std::uint64_t kMessages = 2;
  constexpr std::uint64_t kBytes = 64ULL << 10U;
  const auto check = [](const Limit& limit) {
    const auto insist_on = [&](const char* what, std::uint64_t value, std::uint64_t least) {
      if (value == 0 || value >= least) return;
      throw InvalidOption{"open", fmt::format("{}.{} is {} with an announce_topic", limit.first, what, value),
                          fmt::format("at least {}: an announcement has to fit, too", least)};
    };
    insist_on("messages", limit.second.messages, kMessages);
    insist_on("bytes", limit.second.bytes, kBytes);
  };
  check({"quota", {quota.messages, quota.bytes}});
  for (const Limit& share : shares_of(quota)) check(share);
}

void check_quota(const Quota& quota) {
  if (quota.exact) return;
  if (quota.when_full == WhenFull::drop_lowest && (quota.messages != 0 || quota.bytes != 0)) {
    throw InvalidOption{"open", "quota.when_full is drop_lowest without quota.exact",
                        "set quota.exact: messages that go from the middle shorten no span and free no page"};
  }
  for (const auto& [name, share] : shares_of(quota)) {
    if (share.messages == 0 && share.bytes == 0) continue;
    const bool messages = share.messages != 0;
    throw InvalidOption{"open",
                        fmt::format("{}.{} is {} without quota.exact", name, messages ? "messages" : "bytes",
                                    messages ? share.messages : share.bytes),
                        "set quota.exact, which counts by priority, or take it out"};
  }
}

void check_rule(const std::string& name, const TopicRule& rule) {
  if (std::string fault = filter_fault(rule.filter); !fault.empty())
    throw InvalidOption{"open", fmt::format("{}.filter is {}", name, fault), kFilterRange};
  if (rule.priority) insist(out_of_range(name + ".priority", static_cast<int>(*rule.priority), 0, 2));
  if (rule.not_before)
    insist(out_of_range(name + ".not_before", *rule.not_before, milliseconds{0}, kTenYears));
  if (rule.expires_after)
    insist(out_of_range(name + ".expires_after", *rule.expires_after, kTick, milliseconds{days{36'525}}));
  if (rule.not_before && rule.expires_after && *rule.not_before >= *rule.expires_after) {
    throw InvalidOption{
        "open",
        fmt::format("{}.not_before is {} ms and expires_after {} ms", name, rule.not_before->count(),
                    rule.expires_after->count()),
        "not_before has to be the shorter: the messages would expire before they may be sent"};
  }
  insist(fault_of(name + ".retry.", rule.retry));
}

void check_rules(const Options& options) {
  insist(out_of_range("the number of topics", options.topics.size(), std::size_t{0}, kMaxRules));
  for (std::size_t index = 0; index < options.topics.size(); ++index)
    check_rule(fmt::format("topics[{}]", index), options.topics[index]);
}

}  // namespace

std::optional<Fault> fault_of(const std::string& prefix, const RetryPolicy& policy) {
  std::optional<Fault> fault;
  if (policy.max_attempts) fault = out_of_range(prefix + "max_attempts", *policy.max_attempts, 1, 1'000'000);
  if (!fault && policy.max_age)
    fault = out_of_range(prefix + "max_age", *policy.max_age, milliseconds{0}, kTenYears);
  if (!policy.backoff) return fault;
  const Backoff& backoff = *policy.backoff;
  if (!fault) fault = out_of_range(prefix + "backoff.base", backoff.base, kTick, milliseconds{days{1}});
  if (!fault) fault = out_of_range(prefix + "backoff.factor", backoff.factor, 1.0, 100.0);
  if (!fault) fault = out_of_range(prefix + "backoff.cap", backoff.cap, backoff.base, milliseconds{days{30}});
  return fault;
}

Options sized_by_budget(Options options) {
  if (options.memory_budget == 0) return options;
  const Options defaults;
  // Two connections have a cache each; a window is in flight, read ahead, and twice with the sink, which
  // keeps a message and its packet.
  if (options.cache_bytes == defaults.cache_bytes)
    options.cache_bytes = static_cast<std::size_t>(options.memory_budget / 4);
  if (options.window_bytes == defaults.window_bytes)
    options.window_bytes = static_cast<std::size_t>(options.memory_budget / 8);
  return options;
}

void validate(const Options& options) {
  Checker checker;
  for_each_option(options, checker);
  check_reserve(options);
  check_quota(options.quota);
  if (!options.announce_topic.empty()) check_room_to_announce(options.quota);
  check_rules(options);
  if (options.announce_topic.empty()) return;
  if (const std::string fault = topic_fault(options.announce_topic); !fault.empty())
    throw InvalidOption{"open", fmt::format("announce_topic is {}", fault), kTopicRange};
}

}  // namespace satchel
