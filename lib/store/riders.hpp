// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <satchel/clock.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace satchel::store {

/// Deliveries that commits of the application record along with their own rows: they then cost no
/// transaction of the relay's and no turn at the gate. The relay offers them, a transaction takes some with
/// it right before its COMMIT and says how that ended. Thread-safe.
class Riders {
 public:
  /// So many ride in one commit: what they add to its time is bounded.
  static constexpr std::size_t kMost = 64;
  /// Fewer than this ride only when the first one has waited for `kPatience`: a commit with a rider asks for
  /// the epoch, whether it has one or many.
  static constexpr std::size_t kWorthwhile = 16;
  static constexpr std::chrono::milliseconds kPatience{5};
  /// A commit so long ago makes another one likely.
  static constexpr std::chrono::milliseconds kNear{20};

  // ---- for the relay ----

  /// Delivered rows, the oldest first, in place of those offered before; `epoch` is the relay's own.
  void offer(std::int64_t epoch, const std::vector<std::int64_t>& rows, BootTime now);
  /// Nothing rides from now on but what is on its way.
  void withdraw() noexcept;

  /// How rides ended since the last call.
  struct Ended {
    std::vector<std::int64_t> recorded{};
    std::int64_t removed = 0;  ///< how many of them were still there to be deleted
    std::vector<std::int64_t> unknown{};
  };
  Ended ended();

  /// The application has just committed a message, so that it may soon do so again.
  bool commit_is_near(BootTime now) const noexcept;

  // ---- for the transaction that has the gate ----

  struct Group {
    std::int64_t epoch = 0;
    std::vector<std::int64_t> rows{};
  };
  /// Those that ride in this commit. They are on their way until `arrived` or `thrown_off`.
  std::optional<Group> take(BootTime now);
  /// They are recorded; `removed` of them were still there.
  void arrived(std::int64_t removed) noexcept;
  /// They are not recorded, or, `unknown`, that cannot be said.
  void thrown_off(bool unknown) noexcept;
  /// A transaction with messages was committed.
  void committed(BootTime now) noexcept { last_commit_.store(now.time_since_epoch().count()); }

 private:
  static constexpr BootTime::rep kNever = -1;

  std::atomic<bool> any_{false};  ///< `offered_` is not empty
  std::atomic<BootTime::rep> last_commit_{kNever};

  mutable Mutex mutex_;
  std::int64_t epoch_ SATCHEL_GUARDED_BY(mutex_) = 0;
  std::vector<std::int64_t> offered_ SATCHEL_GUARDED_BY(mutex_);  // the oldest first
  BootTime since_ SATCHEL_GUARDED_BY(mutex_){};                   // when the first of them was offered
  std::vector<std::int64_t> on_their_way_ SATCHEL_GUARDED_BY(mutex_);
  Ended ended_ SATCHEL_GUARDED_BY(mutex_);
};

}  // namespace satchel::store
