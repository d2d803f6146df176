// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <satchel/message.hpp>
#include <satchel/transaction.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <unordered_map>
#include <vector>

namespace satchel::event {

/// What an application hung into an outbox or a bus: header propagators and handlers of domain events. Shared
/// with the transactions, which may outlive the outbox. Thread-safe.
class Hooks {
 public:
  explicit Hooks(std::size_t max_depth) noexcept : max_depth_{max_depth} {}

  void add_propagator(HeaderPropagator propagator);
  void add_handler(std::type_index type, EventHandler handler);

  /// The message with what the propagators add; nothing when there are none. Throws `PropagatorError`.
  std::optional<Message> propagated(const Message& message) const;

  /// Calls the event's handlers in the order in which they were added. Lets out what they throw. Throws
  /// `UsageError` when handlers publish too deep within one another, or when one ends the transaction.
  void dispatch(const detail::AnyEvent& event, Transaction* transaction) const;

  std::size_t max_depth() const noexcept { return max_depth_; }

  /// The transaction object that began last; read by its own thread only, while that transaction is open.
  std::atomic<Transaction*> current{nullptr};

 private:
  using Propagators = std::vector<HeaderPropagator>;
  using Handlers = std::vector<EventHandler>;

  // Constant after construction.
  const std::size_t max_depth_;

  mutable Mutex mutex_;
  // Lists are replaced, never changed: calls go through them without the lock.
  std::shared_ptr<const Propagators> propagators_ SATCHEL_GUARDED_BY(mutex_);
  std::unordered_map<std::type_index, std::shared_ptr<const Handlers>> handlers_ SATCHEL_GUARDED_BY(mutex_);
};

/// What an exception says; for texts of other errors.
std::string text_of(const std::exception_ptr& failure);

}  // namespace satchel::event
