// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

namespace satchel::store {

/// Which messages of a file are with a sink, and which ones a transaction is dropping, among the threads of
/// this process: what is with a sink is not dropped, and what is being dropped is not sent. Thread-safe.
class Flight {
 public:
  // ---- for the relay ----

  /// The relay of the file is here, with these messages under suspicion; or not any more.
  void lead(const std::vector<std::int64_t>& rows);
  void resign() noexcept;
  /// The messages that are with a sink from now on, and those that came there and are not recorded yet, both
  /// ascending. Takes out of `rows`, and returns, those that a transaction is dropping.
  std::vector<std::int64_t> depart(std::vector<std::int64_t>& rows,
                                   const std::vector<std::int64_t>& delivered);
  /// They are recorded, ascending.
  void settled(const std::vector<std::int64_t>& rows);
  /// Messages of this process were dropped, so that what was read before may be gone.
  bool dropped() const noexcept { return drops_.load() != 0; }

  // ---- for transactions ----

  bool led_here() const noexcept { return led_.load(); }
  bool with_sink(std::int64_t row) const;
  /// From now on the message is not sent. False: it is with a sink.
  bool condemn(std::int64_t row);
  void pardon(std::int64_t row);
  /// The transaction that has condemned is over.
  void end(bool committed) noexcept;
  /// A message was dropped by somebody who does not say how his transaction ends.
  void note_drop() noexcept { drops_.fetch_add(1); }

 private:
  std::atomic<bool> led_{false};
  std::atomic<std::uint64_t> drops_{0};

  mutable Mutex mutex_;
  std::vector<std::int64_t> with_sink_ SATCHEL_GUARDED_BY(mutex_);  // ascending
  std::set<std::int64_t> condemned_ SATCHEL_GUARDED_BY(mutex_);
};

}  // namespace satchel::store
