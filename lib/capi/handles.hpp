// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <satchel/error.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace satchel::capi {

/// The next number for a handle, over all kinds of them.
inline std::uintptr_t next_handle() noexcept {
  static std::atomic<std::uintptr_t> last{0};
  return ++last;
}

/// Which object a handle stands for. A handle is a number that is never used again, so that an old one is
/// found out, whatever became of the memory. Thread-safe; an object that is taken out stays alive for the
/// calls that are in it.
template <class Handle, class Object>
class Handles {
 public:
  Handle* add(std::shared_ptr<Object> object) {
    const std::uintptr_t number = next_handle();
    const Lock lock{mutex_};
    objects_.emplace(number, std::move(object));
    return reinterpret_cast<Handle*>(number);  // NOLINT(performance-no-int-to-ptr): a number, see above
  }

  /// Throws `UsageError` when there is none.
  std::shared_ptr<Object> find(const Handle* handle, const char* operation) const {
    const Lock lock{mutex_};
    const auto found = objects_.find(reinterpret_cast<std::uintptr_t>(handle));
    if (found == objects_.end()) refuse(handle, operation);
    return found->second;
  }

  /// Forgets the handle; throws `UsageError` when there is none.
  std::shared_ptr<Object> take(const Handle* handle, const char* operation) {
    const Lock lock{mutex_};
    const auto found = objects_.find(reinterpret_cast<std::uintptr_t>(handle));
    if (found == objects_.end()) refuse(handle, operation);
    std::shared_ptr<Object> object = std::move(found->second);
    objects_.erase(found);
    return object;
  }

 private:
  [[noreturn]] static void refuse(const Handle* handle, const char* operation) {
    if (handle == nullptr) throw UsageError{operation, "the handle is NULL", "look at what opened it"};
    throw UsageError{operation, "the handle is closed, or never was one", "keep it until the last use"};
  }

  mutable Mutex mutex_;
  std::unordered_map<std::uintptr_t, std::shared_ptr<Object>> objects_ SATCHEL_GUARDED_BY(mutex_);
};

}  // namespace satchel::capi
