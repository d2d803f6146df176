// SPDX-License-Identifier: MIT
//
// A mutex of which clang's -Wthread-safety knows what it guards. Other compilers see a plain one.
#pragma once

#include <mutex>

#if defined(__clang__)
#define SATCHEL_ANALYSED(attribute) __attribute__((attribute))
#else
#define SATCHEL_ANALYSED(attribute)
#endif
/// Of a member: used only while the mutex is held.
#define SATCHEL_GUARDED_BY(mutex) SATCHEL_ANALYSED(guarded_by(mutex))
/// Of a function: called only while the mutex is held.
#define SATCHEL_REQUIRES(mutex) SATCHEL_ANALYSED(requires_capability(mutex))

namespace satchel {

class SATCHEL_ANALYSED(capability("mutex")) Mutex {
 private:
  friend class Lock;
  std::mutex mutex_;
};

/// Holds a mutex until it is destroyed, or unlocked before that.
class SATCHEL_ANALYSED(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) SATCHEL_ANALYSED(acquire_capability(mutex)) : lock_{mutex.mutex_} {}
  ~Lock() SATCHEL_ANALYSED(release_capability()) = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() SATCHEL_ANALYSED(acquire_capability()) { lock_.lock(); }
  void unlock() SATCHEL_ANALYSED(release_capability()) { lock_.unlock(); }
  /// For a condition variable, which gives the mutex back while it waits.
  std::unique_lock<std::mutex>& native() noexcept { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace satchel
