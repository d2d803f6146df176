// SPDX-License-Identifier: MIT
#include "relay/lanes.hpp"

#include <algorithm>

namespace satchel::relay {

bool Lanes::loaded(const std::string& key, std::int64_t row) const {
  const auto found = lanes_.find(key);
  if (found == lanes_.end()) return false;
  const std::deque<Loaded>& loaded = found->second.loaded;
  const auto place =
      std::lower_bound(loaded.begin(), loaded.end(), row,
                       [](const Loaded& one, std::int64_t wanted) { return one.message.id.row < wanted; });
  return place != loaded.end() && place->message.id.row == row;
}

void Lanes::offer(Loaded message) {
  Node& node = *lanes_.try_emplace(message.message.key).first;
  Lane& lane = node.second;
  const std::int64_t row = message.message.id.row;
  const std::int64_t last = lane.loaded.empty() ? lane.out : lane.loaded.back().message.id.row;
  const bool next_in_order = lane.skipped == 0 && row > last && lane.held_topic.empty();
  const bool first = lane.out == 0 && lane.loaded.empty();
  const bool room = loaded_count_ < most_loaded_ && loaded_bytes_ + message.bytes <= most_bytes_ / 2;
  if (next_in_order && (first || room)) {
    load(lane, std::move(message));
  } else {
    pass_over(lane, row);
  }
  relist(node);
}

const Loaded* Lanes::front() const {
  return ready_.empty() ? nullptr : &ready_.begin()->second->second.loaded.front();
}

Loaded Lanes::take_front() {
  Node& node = *ready_.begin()->second;
  Lane& lane = node.second;
  Loaded message = std::move(lane.loaded.front());
  lane.loaded.pop_front();
  --loaded_count_;
  loaded_bytes_ -= message.bytes;
  lane.out = message.message.id.row;
  relist(node);
  return message;
}

bool Lanes::occupy(const std::string& key, std::int64_t row) {
  const auto [place, made] = lanes_.try_emplace(key);
  Node& node = *place;
  Lane& lane = node.second;
  // Others of the key may lie before it and after it, wherever the cursors are.
  if (made && !in_order_) pass_over(lane, 1);
  const bool taken = lane.out != 0 && lane.out != row;
  if (taken) {
    pass_over(lane, row);
  } else {
    lane.out = row;
  }
  relist(node);
  return !taken;
}

void Lanes::free(const std::string& key, std::int64_t row) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end() || found->second.out != row) return;
  found->second.out = 0;
  relist(*found);
}

void Lanes::put_back(const std::string& key, std::int64_t row) {
  Node& node = *lanes_.try_emplace(key).first;
  Lane& lane = node.second;
  if (lane.out == row) lane.out = 0;
  unload(lane);
  pass_over(lane, row);
  relist(node);
}

void Lanes::read_from(const std::string& key, std::int64_t row) {
  Node& node = *lanes_.try_emplace(key).first;
  unload(node.second);
  pass_over(node.second, row);
  relist(node);
}

void Lanes::drop(const std::string& key) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end()) return;
  discard(found->second);
  found->second.skipped = 0;
  found->second.held_topic.clear();
  relist(*found);
}

void Lanes::unload(const std::string& key) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end()) return;
  unload(found->second);
  relist(*found);
}

void Lanes::unload_all() {
  for (auto node = lanes_.begin(); node != lanes_.end();) {
    const auto current = node++;  // relist may erase it
    if (current->second.loaded.empty()) continue;
    unload(current->second);
    relist(*current);
  }
}

void Lanes::pass_over_all(std::int64_t row) {
  for (auto node = lanes_.begin(); node != lanes_.end();) {
    const auto current = node++;
    unload(current->second);
    pass_over(current->second, row);
    relist(*current);
  }
}

void Lanes::hold(const std::string& key, const std::string& topic) {
  Node& node = *lanes_.try_emplace(key).first;
  node.second.held_topic = topic;
  relist(node);
}

void Lanes::release(const std::string& topic) {
  for (auto node = lanes_.begin(); node != lanes_.end();) {
    const auto current = node++;
    if (current->second.held_topic != topic) continue;
    current->second.held_topic.clear();
    relist(*current);
  }
}

std::optional<Lanes::Hungry> Lanes::hungry() const {
  if (hungry_.empty()) return std::nullopt;
  const Node& node = *hungry_.begin()->second;
  return Hungry{node.first, node.second.skipped};
}

void Lanes::feed(const std::string& key, std::vector<Loaded> found, std::optional<std::int64_t> last) {
  const auto place = lanes_.find(key);
  if (place == lanes_.end()) return;
  Lane& lane = place->second;
  lane.skipped = last ? *last + 1 : 0;
  for (Loaded& message : found) load(lane, std::move(message));
  relist(*place);
}

void Lanes::pass_over(Lane& lane, std::int64_t row) noexcept {
  lane.skipped = lane.skipped == 0 ? row : std::min(lane.skipped, row);
}

void Lanes::unload(Lane& lane) {
  if (lane.loaded.empty()) return;
  pass_over(lane, lane.loaded.front().message.id.row);
  discard(lane);
}

void Lanes::discard(Lane& lane) noexcept {
  for (const Loaded& one : lane.loaded) loaded_bytes_ -= one.bytes;
  loaded_count_ -= lane.loaded.size();
  lane.loaded.clear();
}

void Lanes::load(Lane& lane, Loaded message) {
  ++loaded_count_;
  loaded_bytes_ += message.bytes;
  lane.loaded.push_back(std::move(message));
}

void Lanes::relist(Node& node) {
  Lane& lane = node.second;
  if (lane.listed_ready != 0) ready_.erase({lane.listed_ready, &node});
  if (lane.listed_hungry != 0) hungry_.erase({lane.listed_hungry, &node});
  lane.listed_ready = lane.listed_hungry = 0;
  if (lane.out != 0) return;
  if (lane.loaded.empty() && lane.skipped == 0) {
    lanes_.erase(lanes_.find(node.first));
    return;
  }
  if (!lane.held_topic.empty()) return;
  if (!lane.loaded.empty()) {
    lane.listed_ready = lane.loaded.front().message.id.row;
    ready_.insert({lane.listed_ready, &node});
  } else {
    lane.listed_hungry = lane.skipped;
    hungry_.insert({lane.listed_hungry, &node});
  }
}

}  // namespace satchel::relay
