// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <thread>

namespace satchel::store {

/// Hands out the write access of one file to the threads of this process, in the order in which they ask.
/// SQLite's own waiting sleeps and is unfair; behind the gate no thread of the process ever sees SQLITE_BUSY
/// from another one.
///
/// A relay does not wait: it leaves a request in the line and is called when its turn has come. It then has
/// `kReserved` to come and take it; a relay that does not come lets the next one pass, so that it can never
/// hold up a writer.
///
/// Thread-safe. Recursion is not possible: see `held_by_this_thread`.
class Gate {
 public:
  /// How long a turn is kept for a relay that was called.
  static constexpr std::chrono::milliseconds kReserved{10};

  /// Waits for the turn and takes it.
  void enter();
  /// Takes the turn when nobody has it or waits for it, or when it is reserved for `caller`. Otherwise leaves
  /// a request for `caller` in the line, unless it has one there, and returns false; `call` is called when
  /// the turn has come.
  bool enter_or_request(const void* caller, std::function<void()> call);
  /// Gives the turn to the next in line.
  void leave() noexcept;
  /// Takes back the request and the reservation of `caller`. After it returns no new call to it begins.
  void forget(const void* caller) noexcept;

  /// True on the thread that entered last and has not left.
  bool held_by_this_thread() const noexcept { return holder_.load() == std::this_thread::get_id(); }
  /// Threads and requests in line.
  std::size_t waiting() const;

 private:
  struct Place {
    const void* caller = nullptr;  // null: a waiting thread
    std::function<void()> call{};
    std::thread::id thread{};
    std::condition_variable* turn = nullptr;
    bool granted = false;
  };

  /// Grants the turn to the first in line; returns what has to be called once the mutex is free.
  std::function<void()> pass_on() SATCHEL_REQUIRES(mutex_);
  bool reservation_is_void(std::thread::id asking) const SATCHEL_REQUIRES(mutex_);

  // own synchronisation
  std::atomic<std::thread::id> holder_{};

  mutable Mutex mutex_;
  bool taken_ SATCHEL_GUARDED_BY(mutex_) = false;
  const void* reserved_for_ SATCHEL_GUARDED_BY(mutex_) = nullptr;
  std::thread::id reserved_thread_ SATCHEL_GUARDED_BY(mutex_){};
  std::chrono::steady_clock::time_point reserved_until_ SATCHEL_GUARDED_BY(mutex_){};
  std::list<Place> line_ SATCHEL_GUARDED_BY(mutex_);
};

/// Holds the gate until it is left or destroyed.
class Turn {
 public:
  explicit Turn(Gate& gate) noexcept : gate_{&gate} {}
  ~Turn() { leave(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  void leave() noexcept {
    if (gate_ != nullptr) gate_->leave();
    gate_ = nullptr;
  }

 private:
  Gate* gate_;
};

}  // namespace satchel::store
