// SPDX-License-Identifier: MIT
#include "base/fork.hpp"

#include <satchel/error.hpp>

#include <pthread.h>

#include <atomic>

namespace satchel {

namespace {

std::atomic<unsigned> generation{0};

}  // namespace

unsigned fork_generation() noexcept {
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

void refuse_in_child(unsigned born, const char* operation) {
  if (fork_generation() != born) {
    throw UsageError{
        operation, "this outbox was opened before the process was forked",
        "an SQLite connection must not be used across fork: fork before the file is opened, or start a "
        "program (exec) in the child that opens it"};
  }
}

}  // namespace satchel
