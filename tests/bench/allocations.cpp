// SPDX-License-Identifier: MIT
//
// Takes malloc's place in the program that it is linked into, to count: the C++ heap, SQLite's and every
// library's go through here. glibc alone offers what is below.
#include "bench/allocations.hpp"

#include <atomic>
#include <cstddef>

namespace {

std::atomic<std::uint64_t> count{0};

}  // namespace

namespace bench {

std::uint64_t allocations() noexcept { return count.load(std::memory_order_relaxed); }

}  // namespace bench

extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t number, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);

void* malloc(std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, size);
}

}  // extern "C"
