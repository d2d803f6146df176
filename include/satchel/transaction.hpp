// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <SQLiteCpp/Database.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

class Aggregate;
class Transaction;

/// Adds headers to every message at enqueue, on the thread that enqueues: trace context, a signed context of
/// the application. It may change what is there and must not call the outbox.
using HeaderPropagator = std::function<void(std::vector<Header>& headers)>;

namespace detail {
struct AnyEvent;
struct EventAccess;
}  // namespace detail

/// A handler of domain events whose type has been forgotten; `transaction` is null where there is none.
using EventHandler = std::function<void(const void* event, Transaction* transaction)>;

/// A value bound to a `?` of a statement: NULL, INTEGER, REAL, TEXT or BLOB. Text and bytes are borrowed for
/// the call.
using Parameter =
    std::variant<std::nullptr_t, std::int64_t, double, std::string_view, std::span<const std::byte>>;

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
  /// begin, commit or roll back on it, and leave its pragmas and hooks alone. As `trusted_schema` is off, a
  /// function of the application's that its triggers, views, indexes, checks, defaults or generated columns
  /// use has to be made with `SQLITE_INNOCUOUS`. Throws `UsageError` after the end, and when a handler of an
  /// event has failed.
  SQLite::Database& database();

  /// Runs one statement that returns no rows, its parameters bound in order: numbers, texts, `std::span<const
  /// std::byte>`, nullptr, or a `std::optional` of these; those that are left out are NULL. Returns the
  /// number of rows changed. A text with more than one statement is refused.
  /// Throws `StorageError` and its family. The transaction stays open, unless SQLite had to roll all of it
  /// back, as it may when the file is full, on an I/O error or for want of memory: then `open` is false, and
  /// others can write once `rollback` is called or this object ends.
  template <class... Values>
  int execute(std::string_view sql, const Values&... values) {
    const std::array<Parameter, sizeof...(Values)> parameters{parameter(values)...};
    return run(sql, parameters);
  }

  /// Adds a message. It is sent only after the commit, and only if there is one.
  /// Throws `InvalidMessage` for a message that could never be delivered, `PropagatorError`, `FullError` and
  /// `StorageError`; the transaction stays open and as it was, unless SQLite had to roll it back: see
  /// `execute`.
  MessageId enqueue(const Message& message);

  /// Publishes a typed event; include <satchel/event.hpp>. An integration event becomes a message: returns
  /// its id. A domain event is handed to its handlers, here and now, inside this transaction; what one of
  /// them throws comes out, and from then on this transaction can only be rolled back.
  template <class Event>
  auto publish(const Event& event) {
    return publish_event(*this, event);
  }

  /// At commit, publishes what `aggregate` has recorded by then; include <satchel/aggregate.hpp>.
  void collect(Aggregate& aggregate);

  /// Makes rows and messages durable, as `Options::durability` says, and wakes the relay. Ends the
  /// transaction, also when it throws: it is rolled back then. Nothing was committed with `FullError`,
  /// `BusyError` or another `StorageError`; with `UsageError`, when a handler has failed before or the
  /// transaction is over; and with what publishing the collected events throws. `OutcomeUnknown` comes of a
  /// failure in the middle of the commit: after a crash it may turn out committed. Only a call from a handler
  /// leaves the transaction open (`UsageError`).
  void commit();

  /// Undoes everything and ends the transaction. No effect after its end.
  void rollback() noexcept;

  /// True until commit or rollback, or until SQLite has rolled it back.
  bool open() const noexcept;

 private:
  friend class Outbox;
  friend struct detail::EventAccess;
  struct State;
  explicit Transaction(std::unique_ptr<State> state) noexcept;
  void dispatch(const detail::AnyEvent& event);
  void publish_collected();
  void attach(Transaction* from) noexcept;

  template <class Value>
  static Parameter parameter(const Value& value) noexcept;
  int run(std::string_view sql, std::span<const Parameter> parameters);
  State& state(const char* operation);

  std::unique_ptr<State> state_;
};

namespace detail {

template <class>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

}  // namespace detail

template <class Value>
Parameter Transaction::parameter(const Value& value) noexcept {
  if constexpr (detail::is_optional<Value>) {
    return value ? parameter(*value) : Parameter{nullptr};
  } else if constexpr (std::is_null_pointer_v<Value>) {
    return nullptr;
  } else if constexpr (std::is_integral_v<Value>) {
    static_assert(std::is_signed_v<Value> || sizeof(Value) < sizeof(std::int64_t),
                  "SQLite integers are signed 64 bit: cast on purpose");
    return static_cast<std::int64_t>(value);
  } else if constexpr (std::is_floating_point_v<Value>) {
    return static_cast<double>(value);
  } else if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
    return std::string_view{value};
  } else {
    return std::span<const std::byte>{value};
  }
}

}  // namespace satchel

#pragma GCC visibility pop
