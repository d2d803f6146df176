// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <satchel/sink.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

namespace satchel::mqtt {

/// What the relay asked for since the last look, in the order in which to do it.
struct Orders {
  std::vector<Delivery> deliveries;
  bool reset = false;
  bool resume = false;
  std::optional<std::chrono::steady_clock::time_point> stop_by;
};

/// Where the relay's thread and the network thread meet: orders one way, behind one wake-up a batch, events
/// the other way. Outlives both sides, so that a network thread that was left behind finds nothing missing.
/// Thread-safe.
class Exchange {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  /// Throws std::system_error when no descriptor is left.
  explicit Exchange(std::size_t capacity);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // ---- the relay's side ----

  void open(SinkEvents& events);
  void send(std::vector<Delivery> batch);
  void reset();
  void resume();
  void ask_to_stop(Deadline by) noexcept;
  /// From here on no event goes out; waits for one that is on its way, unless this thread is in it.
  void close(Deadline by) noexcept;
  std::size_t capacity() const noexcept { return capacity_.load(std::memory_order_relaxed); }

  // ---- the network thread's side ----

  /// Readable when there are orders or somebody called `wake`.
  int descriptor() const noexcept { return wake_; }
  Orders take();
  void set_capacity(std::size_t capacity) noexcept { capacity_.store(capacity, std::memory_order_relaxed); }
  void receipts(std::vector<Receipt> batch) noexcept;
  void up() noexcept;
  void down(Receipt cause) noexcept;

  // ---- both ----

  void wake() noexcept;
  /// The network thread says that it ends; the other side waits for that. False: it did not in time.
  void finish() noexcept;
  bool wait_finished(Deadline by) noexcept;
  /// This thread is inside an event.
  bool in_event() const noexcept;

 private:
  template <typename Call>
  void tell(Call&& call) noexcept;

  // constant after construction
  int wake_;
  // own synchronisation
  std::atomic<std::size_t> capacity_;
  mutable Mutex mutex_;
  std::condition_variable changed_;
  SinkEvents* events_ SATCHEL_GUARDED_BY(mutex_) = nullptr;
  Orders orders_ SATCHEL_GUARDED_BY(mutex_);
  std::optional<std::thread::id> telling_ SATCHEL_GUARDED_BY(mutex_);
  bool finished_ SATCHEL_GUARDED_BY(mutex_) = false;
};

}  // namespace satchel::mqtt
