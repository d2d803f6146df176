// SPDX-License-Identifier: MIT
#pragma once

#include "store/drops.hpp"
#include "store/gate.hpp"
#include "store/insert.hpp"

#include <satchel/clock.hpp>
#include <satchel/message.hpp>
#include <satchel/transaction.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace satchel::store {

class Store;

/// One write transaction of the application: made by `Store::begin`, holds the gate until its end. Confined
/// to the thread that began it. Destroyed while open, it rolls back. Keeps the store alive. In a forked child
/// every call throws `UsageError` and the destructor does nothing.
class Writing {
 public:
  ~Writing();
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

  /// Throws `UsageError` after the end.
  SQLite::Database& database();

  /// Runs one statement that returns no rows. Returns the rows changed. Throws
  /// `UsageError` and `SQLite::Exception`; the transaction then is as it was, unless SQLite had to roll it
  /// back.
  int execute(std::string_view sql, std::span<const Parameter> parameters);

  /// Checks the message and adds it, by the policies of the options; an id without a row when the quota drops
  /// it. Throws `InvalidMessage`, `FullError`, `StorageError`; the transaction then is as it was, unless
  /// SQLite had to roll it back: the error says so and `open()` is false.
  MessageId enqueue(const Message& message);

  /// Throws `FullError`, `BusyError`, `StorageError` when nothing was committed, `OutcomeUnknown` after an
  /// I/O error. In every case the transaction is over and the gate is free.
  void commit();

  void rollback() noexcept;

  /// Counts, and announces, messages that the caller has removed in this transaction. Throws
  /// `QuotaExceeded`, `SQLite::Exception`.
  void dropped(DropReason reason, const std::vector<DroppedRow>& rows);

  /// True until the end; false also when SQLite has rolled the transaction back after an error.
  bool open() const noexcept;

 private:
  friend class Store;
  explicit Writing(std::shared_ptr<Store> store);
  void require_open(const char* operation) const;
  /// Gives the gate back and reports a transaction that kept it for long.
  void end() noexcept;
  [[noreturn]] void commit_failed(int code, const std::string& message, bool committing);
  MessageId insert(const Message& message);
  EnqueueTime now() const;
  void announce_drops();
  std::int64_t newest_row() const;
  /// Records deliveries of the relay's along with the transaction; returns how many messages that removed,
  /// or nothing when none ride. Throws only when the transaction is lost with them.
  std::optional<std::int64_t> take_riders();

  const std::shared_ptr<Store> store_;
  const BootTime began_;
  bool open_ = true;
  std::size_t messages_ = 0;
  std::int64_t newest_ = 0;  ///< row of the last message that was added
  bool delayed_ = false;     ///< it has a message that waits for its `not_before`
};

}  // namespace satchel::store
