// SPDX-License-Identifier: MIT
#pragma once

#include "store/connection.hpp"
#include "store/statement.hpp"

#include <satchel/clock.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace satchel::store {

/// Gives free space inside the file back to the file system, in steps that keep others waiting for a moment
/// each, where `Options::max_free_bytes` asks for it and the file was made for it. A step moves pages from
/// the end of the file into free ones; the checkpoint after it cuts the file.
///
/// It begins where a step will not be in vain: a backlog that is being drained leaves its end in use to the
/// last, and what is moved then is written once more for nothing.
class Vacuum {
 public:
  enum class Step { nothing, some, last };

  Vacuum(Connection& connection, std::uint64_t max_free_bytes);

  /// Rows were deleted.
  void freed(BootTime now) noexcept;
  bool due(BootTime now) const noexcept { return next_ && now >= *next_; }
  /// When it is due, or due again after the step that is due now; nothing: not before rows are deleted.
  std::optional<BootTime> next(BootTime now) const noexcept;
  /// Takes one step inside of the caller's transaction.
  Step step(BootTime now);
  /// The step failed: none before rows are deleted again.
  void put_off() noexcept { next_.reset(); }
  /// The file is damaged where it has to be walked: none ever.
  void give_up() noexcept;

 private:
  Statement mode_;
  Statement pages_;
  Statement free_pages_;
  const std::string sql_;
  Statement vacuum_;
  std::int64_t most_free_ = 0;  ///< pages
  bool wanted_ = false;
  BootTime freed_{};
  std::optional<BootTime> next_;
};

}  // namespace satchel::store
