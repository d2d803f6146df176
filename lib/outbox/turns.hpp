// SPDX-License-Identifier: MIT
#pragma once

#include "outbox/engine.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace satchel::outbox {

/// Who may drive a relay that has no thread: one thread at a time, which can be in somebody's callback for as
/// long as that takes. Thread-safe.
class Turns {
 public:
  class Turn;

  /// Ends the relay once the turn under way is over, if that is in time. Otherwise, and in a callback of that
  /// turn, it only asks whoever has the turn to do so, and returns false.
  bool stop(Engine& engine, std::chrono::milliseconds timeout);

 private:
  // Call with mutex_ held.
  bool mine() const noexcept { return holder_ == std::this_thread::get_id(); }
  bool is_free() const noexcept { return holder_ == std::thread::id{}; }
  void give_back() noexcept;

  std::mutex mutex_;
  std::condition_variable freed_;
  // Guarded by mutex_.
  std::thread::id holder_;
  std::optional<std::chrono::milliseconds> asked_;  ///< what a stop has left to whoever has the turn
};

/// One turn, until it is destroyed. Confined to its thread.
class Turns::Turn {
 public:
  /// Waits for it. Throws `UsageError` in a callback of another one, which would wait for itself.
  Turn(Turns& turns, const char* operation);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// One round, and the end when a stop was asked for meanwhile: false then. The last thing in a turn.
  bool step(Engine& engine);

 private:
  Turns& turns_;
  bool over_ = false;
};

}  // namespace satchel::outbox
