// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <satchel/async.hpp>

#include <functional>
#include <future>

namespace satchel::detail {

/// Where the committer leaves a result and a future or a coroutine picks it up. Thread-safe.
class Answer {
 public:
  std::future<MessageId> future() { return promise_.get_future(); }

  /// Fulfils the future, then lets a suspended coroutine go on. Called once.
  void tell(const EnqueueResult& result);

  bool told() const;

  /// Makes `tell` call `resume`; false when the result is there already, and then it is not called.
  bool call_when_told(std::function<void()> resume);

 private:
  std::promise<MessageId> promise_;

  mutable Mutex mutex_;
  bool told_ SATCHEL_GUARDED_BY(mutex_) = false;
  std::function<void()> resume_ SATCHEL_GUARDED_BY(mutex_);
};

}  // namespace satchel::detail
