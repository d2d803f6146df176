// SPDX-License-Identifier: MIT
#include "outbox/wake.hpp"

#include <satchel/error.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace satchel::outbox {

Wake::Wake() : descriptor_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  if (descriptor_ == -1) {
    throw StorageError{"start", std::string{"eventfd: "} + std::strerror(errno),
                       "the process may be out of file descriptors", errno};
  }
}

Wake::~Wake() { close(descriptor_); }

void Wake::wake() noexcept {
  if (pending_.exchange(true)) return;
  const std::uint64_t one = 1;
  // Can only fail when the counter is full, and then the descriptor is readable anyway.
  [[maybe_unused]] const ssize_t written = write(descriptor_, &one, sizeof one);
}

void Wake::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = read(descriptor_, &count, sizeof count);
  // After the read, and an exchange, not a store: a wake in between either leaves the descriptor readable or
  // is synchronised with here, so that what it announced is visible to the caller.
  pending_.exchange(false);
}

}  // namespace satchel::outbox
