// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/event.hpp>
#include <satchel/transaction.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#pragma GCC visibility push(default)

namespace satchel {

namespace detail {

/// Events that wait for the commit. Confined to one thread at a time.
struct RecordedEvents {
  // Those that a commit is publishing stay where they are when a handler records more.
  std::deque<std::function<void(Transaction&)>> events;
};

}  // namespace detail

/// Base of a business object that notes what happened to it, to be published when its changes are committed:
///
///     class Line : public satchel::Aggregate {
///      public:
///       void stop() { running_ = false; record(LineStopped{.line = name_}); }
///     };
///
///     line.stop();
///     tx.collect(line);
///     tx.commit();         // publishes LineStopped, then commits
///
/// Not thread-safe. A copy starts without recorded events; a move takes them along.
class Aggregate {
 public:
  Aggregate() = default;
  /// A copy begins without events of its own.
  Aggregate(const Aggregate& /*other*/) {}
  // What this one recorded stays: it happened to this one. NOLINTNEXTLINE(bugprone-unhandled-self-assignment)
  Aggregate& operator=(const Aggregate& /*other*/) { return *this; }
  Aggregate(Aggregate&&) noexcept = default;
  Aggregate& operator=(Aggregate&&) noexcept = default;

  /// Events recorded and not yet committed.
  std::size_t recorded() const noexcept { return recorded_ ? recorded_->events.size() : 0; }

  /// Forgets them: for a change that is given up for good after its transaction has failed. Not within a
  /// handler.
  void forget_recorded() noexcept {
    if (recorded_) recorded_->events.clear();
  }

 protected:
  ~Aggregate() = default;

  /// Keeps a domain or an integration event until a transaction that collects this aggregate commits. When
  /// that fails or is rolled back, nothing was published and everything is still here, what handlers recorded
  /// meanwhile too; the next transaction that collects this aggregate publishes it, and handlers run again.
  template <Event E>
  void record(E event) {
    queue().events.push_back(
        [event = std::move(event)](Transaction& transaction) { transaction.publish(event); });
  }

 private:
  friend class Transaction;

  detail::RecordedEvents& queue() {
    if (!recorded_) recorded_ = std::make_shared<detail::RecordedEvents>();
    return *recorded_;
  }

  // Shared with the transaction, so that an aggregate may end before its transaction commits.
  std::shared_ptr<detail::RecordedEvents> recorded_;
};

}  // namespace satchel

#pragma GCC visibility pop
