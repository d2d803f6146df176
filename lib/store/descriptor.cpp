// SPDX-License-Identifier: MIT
#include "store/descriptor.hpp"

#include <pthread.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <utility>

namespace satchel::store {
namespace {

/// Every living descriptor. Never destroyed: the handlers may run while the process ends.
struct Registry {
  std::mutex mutex;
  std::set<int*> descriptors;
};

Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

// The mutex is held across the fork, so that the child finds the set whole.
void before_fork() { registry().mutex.lock(); }
void after_fork_in_parent() { registry().mutex.unlock(); }
void after_fork_in_child() {
  for (int* fd : registry().descriptors) {
    if (*fd >= 0) ::close(*fd);
    *fd = -1;
  }
  registry().mutex.unlock();
}

void add(int* fd) {
  static const int registered = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  static_cast<void>(registered);
  const std::lock_guard lock{registry().mutex};
  registry().descriptors.insert(fd);
}

}  // namespace

Descriptor::Descriptor(int fd) : fd_{fd} { add(&fd_); }

Descriptor::~Descriptor() {
  close();
  const std::lock_guard lock{registry().mutex};
  registry().descriptors.erase(&fd_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : Descriptor{} { *this = std::move(other); }

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  add(&fd_);
  const std::lock_guard lock{registry().mutex};
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

void Descriptor::close() noexcept {
  const std::lock_guard lock{registry().mutex};
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace satchel::store
