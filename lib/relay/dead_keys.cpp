// SPDX-License-Identifier: MIT
#include "relay/dead_keys.hpp"

#include <utility>

namespace satchel::relay {

bool DeadKeys::add(std::int64_t row, const std::string& key) {
  if (keys_.size() >= kMost && keys_.count(key) == 0) return false;
  keys_.insert(key);
  dying_.emplace(row, key);
  return true;
}

std::vector<std::string> DeadKeys::load(const std::vector<std::string>& keys) {
  std::unordered_set<std::string> blocked{keys.begin(), keys.end()};
  for (const auto& [row, key] : dying_) blocked.insert(key);
  std::vector<std::string> freed;
  for (const std::string& key : keys_) {
    if (blocked.count(key) == 0) freed.push_back(key);
  }
  keys_ = std::move(blocked);
  return freed;
}

}  // namespace satchel::relay
