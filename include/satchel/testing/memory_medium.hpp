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
};

}  // namespace satchel::testing

#pragma GCC visibility pop
