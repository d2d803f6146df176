// SPDX-License-Identifier: MIT
#include "base/retry.hpp"

#include <algorithm>
#include <utility>

namespace satchel {

const TopicRule* rule_for(std::string_view topic, const Options& options) noexcept {
  const auto found =
      std::find_if(options.topics.begin(), options.topics.end(),
                   [topic](const TopicRule& rule) { return topic_matches(rule.filter, topic); });
  return found == options.topics.end() ? nullptr : &*found;
}

RetryLimits limits_of(std::string_view topic, const std::optional<RetryPolicy>& own, const Options& options) {
  RetryLimits limits{options.max_attempts, options.retry_backoff, options.max_age};
  const auto lay_over = [&limits](const RetryPolicy& policy) {
    limits.max_attempts = policy.max_attempts.value_or(limits.max_attempts);
    limits.backoff = policy.backoff.value_or(limits.backoff);
    limits.max_age = policy.max_age.value_or(limits.max_age);
  };
  if (const TopicRule* rule = rule_for(topic, options)) lay_over(rule->retry);
  if (own) lay_over(*own);
  return limits;
}

Message with_rules(Message message, const Options& options) {
  const TopicRule* rule = rule_for(message.topic, options);
  if (rule == nullptr) return message;
  if (!message.priority) message.priority = rule->priority;
  if (!message.not_before) message.not_before = rule->not_before;
  if (!message.expires_after) message.expires_after = rule->expires_after;
  if (!message.coalesce && !message.key.empty()) message.coalesce = rule->coalesce;
  return message;
}

}  // namespace satchel
