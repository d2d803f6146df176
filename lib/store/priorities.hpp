// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <cstdint>
#include <optional>

namespace satchel::store {

/// What `satchel_message.priority` holds for it: NULL for normal, so that it has no entry in the index.
constexpr std::optional<std::int64_t> code_of(Priority priority) noexcept {
  if (priority == Priority::urgent) return 1;
  if (priority == Priority::bulk) return 2;
  return std::nullopt;
}

/// The reverse. Any number that no version of satchel writes is a normal message's.
constexpr Priority priority_of(std::optional<std::int64_t> code) noexcept {
  if (code == 1) return Priority::urgent;
  if (code == 2) return Priority::bulk;
  return Priority::normal;
}

}  // namespace satchel::store
