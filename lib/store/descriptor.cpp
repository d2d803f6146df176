// SPDX-License-Identifier: MIT
#include "store/descriptor.hpp"

#include <pthread.h>
#include <unistd.h>

#include <mutex>
#include <utility>

namespace satchel::store {

/// Every descriptor that holds one.
struct Descriptors {
  std::mutex mutex;
  Descriptor* first = nullptr;

  /// Never destroyed: the handlers may run while the process ends.
  static Descriptors& all() {
    static auto* const instance = new Descriptors;
    return *instance;
  }

  void add(Descriptor& one) noexcept {
    if (std::exchange(one.listed_, true)) return;
    one.after_ = first;
    if (first != nullptr) first->before_ = &one;
    first = &one;
  }

  void remove(Descriptor& one) noexcept {
    if (!std::exchange(one.listed_, false)) return;
    if (one.after_ != nullptr) one.after_->before_ = one.before_;
    (one.before_ != nullptr ? one.before_->after_ : first) = one.after_;
    one.before_ = nullptr;
    one.after_ = nullptr;
  }

  // The mutex is held across the fork, so that the child finds the list whole.
  static void before_fork() { all().mutex.lock(); }
  static void after_fork_in_parent() { all().mutex.unlock(); }
  static void after_fork_in_child() {
    for (Descriptor* one = all().first; one != nullptr; one = one->after_) {
      if (one->fd_ >= 0) ::close(one->fd_);
      one->fd_ = -1;
    }
    all().mutex.unlock();
  }
};

namespace {

Descriptors& registry() noexcept {
  Descriptors& all = Descriptors::all();
  static const int registered = pthread_atfork(Descriptors::before_fork, Descriptors::after_fork_in_parent,
                                               Descriptors::after_fork_in_child);
  static_cast<void>(registered);
  return all;
}

}  // namespace

Descriptor::Descriptor(int fd) noexcept : fd_{fd} {
  Descriptors& all = registry();
  const std::lock_guard lock{all.mutex};
  all.add(*this);
}

Descriptor::~Descriptor() {
  close();
  Descriptors& all = registry();
  const std::lock_guard lock{all.mutex};
  all.remove(*this);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : Descriptor{} { *this = std::move(other); }

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  Descriptors& all = registry();
  const std::lock_guard lock{all.mutex};
  all.add(*this);
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

void Descriptor::close() noexcept {
  Descriptors& all = registry();
  const std::lock_guard lock{all.mutex};
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace satchel::store
