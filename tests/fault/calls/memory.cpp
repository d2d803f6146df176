// SPDX-License-Identifier: MIT
#include "memory.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace memory {
namespace {

struct Plan {
  std::atomic<std::uint64_t> seen{0};
  std::atomic<std::uint64_t> nth{0};  // 0: none fails
  std::atomic<bool> for_ever{false};
};

std::array<Plan, 2> plans;
std::atomic<std::uint64_t> failed{0};
std::atomic<std::int64_t> in_use{0};
std::atomic<int> spared{0};
sqlite3_mem_methods below{};

Plan& plan_of(Source source) noexcept { return plans[static_cast<std::size_t>(source)]; }

/// A place for a debugger to stop at.
[[gnu::noinline]] void note_failure() noexcept { ++failed; }

bool fails(Source source) noexcept {
  if (spared.load() != 0) return false;
  Plan& plan = plan_of(source);
  const std::uint64_t now = ++plan.seen;
  const std::uint64_t nth = plan.nth.load();
  if (nth == 0 || now < nth || (now > nth && !plan.for_ever.load())) return false;
  note_failure();
  return true;
}

}  // namespace

void install() {
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below) != SQLITE_OK) std::abort();
  sqlite3_mem_methods mine = below;
  mine.xMalloc = [](int size) { return fails(Source::sqlite) ? nullptr : below.xMalloc(size); };
  mine.xRealloc = [](void* block, int size) {
    return fails(Source::sqlite) ? nullptr : below.xRealloc(block, size);
  };
  if (sqlite3_config(SQLITE_CONFIG_MALLOC, &mine) != SQLITE_OK) std::abort();
  // Each allocation on its own, also where SQLite is built to keep small ones at hand.
  if (sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK) std::abort();
}

void fail(Source source, std::uint64_t nth, bool for_ever) noexcept {
  heal();
  failed.store(0);
  Plan& plan = plan_of(source);
  plan.seen.store(0);
  plan.for_ever.store(for_ever);
  plan.nth.store(nth);
}

void heal() noexcept {
  for (Plan& plan : plans) plan.nth.store(0);
}

std::uint64_t count(Source source) noexcept { return plan_of(source).seen.load(); }

void count_from_here() noexcept {
  for (Plan& plan : plans) plan.seen.store(0);
}

std::uint64_t failures() noexcept { return failed.load(); }

std::int64_t blocks() noexcept { return in_use.load(); }

void spare() noexcept { ++spared; }
void unspare() noexcept { --spared; }

namespace {

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (fails(Source::heap)) return nullptr;
  const std::size_t wanted = std::max<std::size_t>(size, 1);
  void* block = alignment <= alignof(std::max_align_t)
                    ? std::malloc(wanted)
                    : std::aligned_alloc(alignment, (wanted + alignment - 1) / alignment * alignment);
  if (block != nullptr) ++in_use;
  return block;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* block = allocate(size, alignment);
  if (block == nullptr) throw std::bad_alloc{};
  return block;
}

void release(void* block) noexcept {
  if (block != nullptr) --in_use;
  std::free(block);
}

constexpr std::size_t kUsual = alignof(std::max_align_t);
std::size_t number(std::align_val_t alignment) noexcept { return static_cast<std::size_t>(alignment); }

}  // namespace
}  // namespace memory

// NOLINTBEGIN(misc-new-delete-overloads)
void* operator new(std::size_t size) { return memory::allocate_or_throw(size, memory::kUsual); }
void* operator new[](std::size_t size) { return memory::allocate_or_throw(size, memory::kUsual); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return memory::allocate_or_throw(size, memory::number(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return memory::allocate_or_throw(size, memory::number(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return memory::allocate(size, memory::kUsual);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return memory::allocate(size, memory::kUsual);
}
void operator delete(void* block) noexcept { memory::release(block); }
void operator delete[](void* block) noexcept { memory::release(block); }
void operator delete(void* block, std::size_t) noexcept { memory::release(block); }
void operator delete[](void* block, std::size_t) noexcept { memory::release(block); }
void operator delete(void* block, std::align_val_t) noexcept { memory::release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { memory::release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { memory::release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { memory::release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { memory::release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { memory::release(block); }
// NOLINTEND(misc-new-delete-overloads)
