// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace satchel::outbox {

/// Wakes a thread that waits on `descriptor()`. `wake` is thread-safe, never blocks and costs a system call
/// only for the first of many calls.
class Wake {
 public:
  /// Throws `StorageError` when the process is out of descriptors.
  Wake();
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  void wake() noexcept;

  /// Forgets earlier calls. What was published before them is visible to the caller afterwards.
  void clear() noexcept;

  int descriptor() const noexcept { return descriptor_; }

 private:
  const int descriptor_;
  std::atomic<bool> pending_{false};
};

}  // namespace satchel::outbox
