// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"
#include "store/store.hpp"

#include <satchel/async.hpp>
#include <satchel/message.hpp>
#include <satchel/options.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace satchel::outbox {

/// Commits the messages of many threads together, on a thread of its own, and tells each what became of it.
///
/// Shared by the outbox and by that thread, so that a commit which hangs can be left behind. Thread-safe.
class Committer : public std::enable_shared_from_this<Committer> {
 public:
  /// Commits messages in one transaction and says what became of each, in their order. What it throws
  /// became of all of them.
  using Commit = std::function<std::vector<EnqueueResult>(const std::vector<Message>& batch)>;

  struct Ports {
    Commit commit;
    std::function<void(const std::string& text)> notice;
  };

  /// Takes `async_batch` (never more than one transaction may hold), `async_linger`, `async_queue` and
  /// `async_full` from `options`.
  Committer(const Options& options, Ports ports);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Starts the thread. Call once. Throws `StorageError` when there can be no thread.
  void start();

  /// Queues a message that was found valid. `done` is called once if this returns, on the committer thread,
  /// or before it returns when the message is dropped. Throws `QueueFull`, or `UsageError` after `close`;
  /// `done` is not called then.
  void submit(Message message, EnqueueCallback done);

  /// Takes up nothing more, commits what is queued and ends the thread. A thread that is not out when
  /// `patience` is over is left to itself: it still commits and tells when it can. True when it is out. On
  /// the committer thread: asks only, false.
  bool close(std::chrono::milliseconds patience);

  /// Messages that found the queue full and were dropped.
  std::uint64_t dropped() const;

 private:
  struct Batch {
    std::vector<Message> messages;
    std::vector<EnqueueCallback> done;
  };
  struct Waiting {
    Message message;
    EnqueueCallback done;
    std::chrono::steady_clock::time_point since;
  };

  void run() noexcept;
  bool take(Batch& batch);
  void settle(Batch& batch) noexcept;
  std::vector<EnqueueResult> outcomes(const std::vector<Message>& messages);
  void tell(const EnqueueCallback& done, const EnqueueResult& result) noexcept;

  // Constant after construction.
  const std::size_t max_batch_;
  const std::chrono::milliseconds linger_;
  const std::size_t max_queue_;
  const AsyncFull full_;
  const Ports ports_;

  // Committer thread only: how many messages there are when all that were answered last have come back, and
  // how long that is waited for.
  std::size_t expected_ = 0;
  std::chrono::steady_clock::time_point expected_until_{};

  mutable Mutex mutex_;
  std::condition_variable work_;   // for the committer thread: something to commit, or the end
  std::condition_variable space_;  // for producers: the queue has room, or the end
  std::condition_variable out_;    // for close: the thread is out
  std::deque<Waiting> queue_ SATCHEL_GUARDED_BY(mutex_);
  std::thread thread_ SATCHEL_GUARDED_BY(mutex_);
  std::thread::id runner_ SATCHEL_GUARDED_BY(mutex_);
  std::uint64_t dropped_ SATCHEL_GUARDED_BY(mutex_) = 0;
  bool closed_ SATCHEL_GUARDED_BY(mutex_) = false;
  bool ended_ SATCHEL_GUARDED_BY(mutex_) = true;  // no thread runs
};

/// Commits all in one transaction. A message whose statement fails alone takes nothing else with it.
std::vector<EnqueueResult> commit_together(store::Store& store, const std::vector<Message>& batch);

}  // namespace satchel::outbox
