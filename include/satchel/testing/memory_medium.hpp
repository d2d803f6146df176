// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>
#include <satchel/storage.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::testing {

/// What outlives the process of a `MemoryStorage`: messages, dead letters, who has the claim, what was in
/// flight. Several storages may share one medium, as several processes share one file. Thread-safe by its
/// mutex.
struct MemoryMedium {
  /// A pending message.
  struct Row {
    Message message;
    BootTime created{};
    int attempts = 0;
    bool suspect = false;
    std::optional<BootTime> due{};
    std::chrono::milliseconds aged{0};
    std::string damage{};
    /// Its `not_before` is over, or there is none.
    bool ready = true;
  };
  /// A dead letter.
  struct Dead {
    Row row;
    DeadReason reason = DeadReason::rejected;
    std::string error;
  };

  std::mutex mutex{};
  // Guarded by mutex:
  std::map<std::int64_t, Row> rows{};
  std::map<std::string, std::map<std::int64_t, Row*>> keys{};
  /// Rows that are not ready, and rows with another priority than normal.
  std::set<std::int64_t> delayed{};
  std::set<std::int64_t> prioritized{};
  std::map<std::int64_t, Dead> dead{};
  std::int64_t newest = 0;
  std::uint64_t expired = 0;
  std::uint64_t rescans = 0;
  std::uint64_t epoch = 0;
  bool claimed = false;
  std::vector<std::int64_t> in_flight{};
  std::int64_t alone = 0;
  std::map<std::string, std::string> notes{};
  /// Rows that a transaction is about to drop.
  std::set<std::int64_t> condemned{};
  std::map<const void*, std::function<void()>> wakes{};
  /// Delivered rows that ride in the next save, and those that did.
  std::vector<std::int64_t> riders{};
  std::vector<std::int64_t> rode{};

  void put(std::int64_t row, Row stored) {
    Row& kept = rows[row] = std::move(stored);
    if (!kept.message.key.empty()) keys[kept.message.key][row] = &kept;
    if (!kept.ready) delayed.insert(row);
    if (kept.message.priority.value_or(Priority::normal) != Priority::normal) prioritized.insert(row);
  }

  bool remove(std::int64_t row) {
    const auto found = rows.find(row);
    if (found == rows.end()) return false;
    const auto lane = keys.find(found->second.message.key);
    if (lane != keys.end()) {
      lane->second.erase(row);
      if (lane->second.empty()) keys.erase(lane);
    }
    delayed.erase(row);
    prioritized.erase(row);
    rows.erase(found);
    return true;
  }
};

}  // namespace satchel::testing

#pragma GCC visibility pop
