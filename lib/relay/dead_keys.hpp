// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

namespace satchel::relay {

/// Keys that a dead letter blocks (`DeadKey::block`), at most `kMost`; those beyond are not blocked.
class DeadKeys {
 public:
  static constexpr std::size_t kMost = 100'000;

  bool blocks(const std::string& key) const { return !keys_.empty() && keys_.count(key) != 0; }
  std::size_t size() const noexcept { return keys_.size(); }

  /// A message of the key has died, which is not recorded yet. False: there are too many.
  bool add(std::int64_t row, const std::string& key);
  /// The death of a message is recorded.
  void recorded(std::int64_t row) { dying_.erase(row); }

  /// What the storage says. Returns the keys that are not blocked any more.
  std::vector<std::string> load(const std::vector<std::string>& keys);

 private:
  std::unordered_set<std::string> keys_;
  std::map<std::int64_t, std::string> dying_;
};

}  // namespace satchel::relay
