// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace satchel {

class Outbox;

/// Business rows and messages that commit together or not at all.
///
/// Made by `Outbox::begin`; holds the write access of its file from then until commit, rollback or
/// destruction, so keep it short. Confined to the thread that began it. Destroyed without a commit, it rolls
/// back. It may outlive its outbox; what it commits then is relayed the next time the file is opened.
class Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  ~Transaction();

  /// The connection on which the transaction is open, for everything that `execute` is too small for. Do not
  /// begin, commit or roll back on it, and leave its pragmas and hooks alone. Throws `UsageError` after the
  /// end.
  SQLite::Database& database();

  /// Runs one statement with its parameters bound in order; returns the number of rows changed.
  /// Throws `StorageError` and its family; the transaction stays open.
  template <class... Values>
  int execute(const char* sql, Values&&... values) {
    SQLite::Statement statement{database(), sql};
    int index = 0;
    (bind_value(statement, ++index, std::forward<Values>(values)), ...);
    return run(statement);
  }

  /// Adds a message. It is sent only after the commit, and only if there is one.
  /// Throws `InvalidMessage` for a message that could never be delivered, `FullError` and `StorageError`; the
  /// transaction stays open and unchanged.
  MessageId enqueue(const Message& message);

  /// Makes rows and messages durable, as `Options::durability` says, and wakes the relay. Ends the
  /// transaction. Throws `FullError`, `BusyError` or `StorageError` when nothing was committed: the
  /// transaction is rolled back. Throws `OutcomeUnknown` after an I/O error in the commit itself.
  void commit();

  /// Undoes everything and ends the transaction.
  void rollback();

  /// True until commit or rollback.
  bool open() const noexcept;

  /// The transaction behind the object. Defined by the library.
  struct State;

 private:
  friend class Outbox;
  explicit Transaction(std::unique_ptr<State> state) noexcept;
  template <class Value>
  static void bind_value(SQLite::Statement& statement, int index, Value&& value);
  int run(SQLite::Statement& statement);

  std::unique_ptr<State> state_;
};

template <class Value>
void Transaction::bind_value(SQLite::Statement& statement, int index, Value&& value) {
  using Plain = std::remove_cvref_t<Value>;
  if constexpr (std::is_same_v<Plain, std::nullptr_t>) {
    statement.bind(index);
  } else if constexpr (std::is_same_v<Plain, bool>) {
    statement.bind(index, static_cast<int>(value));
  } else if constexpr (std::is_integral_v<Plain>) {
    statement.bind(index, static_cast<std::int64_t>(value));
  } else if constexpr (std::is_floating_point_v<Plain>) {
    statement.bind(index, static_cast<double>(value));
  } else {
    statement.bind(index, std::string(std::forward<Value>(value)));
  }
}

}  // namespace satchel
