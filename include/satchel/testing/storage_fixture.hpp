// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/storage.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::testing {

/// What the conformance checks need to know about a storage. Every check gets a fixture of its own, with an
/// empty medium.
class StorageFixture {
 public:
  virtual ~StorageFixture() = default;

  /// An open storage. The same one until `crash`.
  virtual Storage& storage() = 0;
  /// Ends the process of `storage()`, without a release; `storage()` is then another one on the same medium.
  virtual void crash() = 0;
  /// Another open storage on the same medium, as another process would have it. Null: cannot be done; the
  /// checks that need it are skipped.
  virtual std::unique_ptr<Storage> other() { return nullptr; }
  /// The clock of all of them.
  virtual ManualClock& clock() = 0;
  /// Makes a dead letter pending again. False: cannot be done.
  virtual bool replay(std::int64_t) { return false; }
  /// Begins a transaction that drops this message, and returns what rolls it back. Empty: cannot be done.
  virtual std::function<void()> condemn(std::int64_t) { return {}; }
};

namespace storage_checks {

using std::chrono::milliseconds;

inline void demand(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error{"storage: " + what};
}

inline Message plain(const std::string& payload, const std::string& key = {}) {
  Message message;
  message.topic = "conformance/topic";
  message.payload = payload;
  message.key = key;
  return message;
}

inline std::vector<std::int64_t> rows_of(const std::vector<StoredMessage>& messages) {
  std::vector<std::int64_t> rows;
  for (const StoredMessage& message : messages) rows.push_back(message.id.row);
  return rows;
}

inline std::vector<std::int64_t> pending(Storage& storage) {
  ClaimQuery query;
  query.max_count = 1000;
  return rows_of(storage.claim(query).messages);
}

inline StoredMessage one(Storage& storage, std::int64_t row) {
  ClaimQuery query;
  query.row = row;
  const std::vector<StoredMessage> found = storage.claim(query).messages;
  demand(found.size() == 1, "a pending row is not found by its number");
  return found.front();
}

inline Recovery lead(Storage& storage) {
  const std::optional<Recovery> recovery = storage.acquire();
  demand(recovery.has_value(), "a free claim was refused");
  return *recovery;
}

inline void deliver(Storage& storage, std::vector<std::int64_t> rows) {
  Settlement settlement;
  settlement.delivered = std::move(rows);
  demand(storage.settle(settlement), "settle was refused although nobody else writes");
}

}  // namespace storage_checks

}  // namespace satchel::testing

#pragma GCC visibility pop
