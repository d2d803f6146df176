// SPDX-License-Identifier: MIT
#include "relay/topics.hpp"

#include <algorithm>

namespace satchel::relay {

bool Topics::blocks_route(const std::string& topic, std::uint64_t deliveries) const {
  if (held_.empty() || holds(topic)) return false;
  return deliveries == deliveries_ || held_.size() >= kMost;
}

void Topics::hold(const std::string& topic, std::int64_t row, BootTime next, std::uint64_t deliveries) {
  if (held_.empty()) deliveries_ = deliveries;
  Held& held = held_[topic];
  held.row = row;
  held.next = next;
}

void Topics::pass_over(const std::string& topic, std::int64_t row) {
  const auto found = held_.find(topic);
  if (found == held_.end()) return;
  Held& held = found->second;
  held.skipped = held.skipped == 0 ? row : std::min(held.skipped, row);
}

std::optional<Topics::Try> Topics::due(BootTime now) const {
  for (const auto& [topic, held] : held_) {
    if (held.next && now >= *held.next) return Try{topic, held.row};
  }
  return std::nullopt;
}

void Topics::trying(const std::string& topic) {
  const auto found = held_.find(topic);
  if (found != held_.end()) found->second.next.reset();
}

void Topics::retry_at_once(const std::string& topic, BootTime now) {
  const auto found = held_.find(topic);
  if (found != held_.end()) found->second.next = now;
}

void Topics::hurry(BootTime now) {
  for (auto& [topic, held] : held_) {
    if (held.next) held.next = std::min(*held.next, now);
  }
}

std::optional<std::int64_t> Topics::release(const std::string& topic) {
  const auto found = held_.find(topic);
  if (found == held_.end()) return std::nullopt;
  const std::int64_t skipped = found->second.skipped;
  held_.erase(found);
  return skipped == 0 ? std::nullopt : std::optional{skipped};
}

std::optional<BootTime> Topics::next() const {
  std::optional<BootTime> soonest;
  for (const auto& [topic, held] : held_) {
    if (held.next && (!soonest || *held.next < *soonest)) soonest = held.next;
  }
  return soonest;
}

}  // namespace satchel::relay
