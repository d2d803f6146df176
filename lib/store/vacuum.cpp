// SPDX-License-Identifier: MIT
#include "store/vacuum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace satchel::store {
namespace {

constexpr std::size_t kStepBytes = 128U << 10U;
/// Between two steps, for whoever else wants to write.
constexpr std::chrono::milliseconds kPause{20};
/// So long after the last deletion nothing is being drained.
constexpr std::chrono::milliseconds kQuiet{200};
/// Under steady traffic it is never quiet. With so much of the file free, an eighth is the most that is moved
/// in vain.
constexpr std::int64_t kSparse = 8;

std::int64_t number(Statement& statement) {
  Use use{statement};
  return use->step() ? use->integer(0) : 0;
}

std::string step_sql(std::size_t page_size) {
  return fmt::format("PRAGMA incremental_vacuum({})", std::max<std::size_t>(kStepBytes / page_size, 1));
}

}  // namespace

Vacuum::Vacuum(Connection& connection, std::uint64_t max_free_bytes)
    : mode_{connection.database(), "PRAGMA auto_vacuum"},
      pages_{connection.database(), "PRAGMA page_count"},
      free_pages_{connection.database(), "PRAGMA freelist_count"},
      sql_{step_sql(connection.page_size())},
      vacuum_{connection.database(), sql_.c_str()},
      most_free_{static_cast<std::int64_t>(max_free_bytes / connection.page_size())},
      wanted_{max_free_bytes != 0} {}

void Vacuum::freed(BootTime now) noexcept {
  if (!wanted_) return;
  freed_ = now;
  if (!next_) next_ = now + kQuiet;
}

std::optional<BootTime> Vacuum::next(BootTime now) const noexcept { return due(now) ? now + kPause : next_; }

void Vacuum::give_up() noexcept {
  wanted_ = false;
  next_.reset();
}

Vacuum::Step Vacuum::step(BootTime now) {
  next_.reset();
  constexpr std::int64_t kIncremental = 2;
  if (number(mode_) != kIncremental) {
    give_up();
    return Step::nothing;
  }
  const std::int64_t free = number(free_pages_);
  if (free <= most_free_) return Step::nothing;
  if (now < freed_ + kQuiet && (number(pages_) - free) * kSparse > number(pages_)) {
    next_ = freed_ + kQuiet;
    return Step::nothing;
  }
  vacuum_.run();
  if (number(free_pages_) <= most_free_) return Step::last;
  next_ = now + kPause;
  return Step::some;
}

}  // namespace satchel::store
