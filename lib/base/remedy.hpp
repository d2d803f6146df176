// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/status.hpp>

#include <string_view>

namespace satchel {

/// What somebody can do about a sink with this problem; empty without one. A topic may be held while the sink
/// is up: that needs somebody, too.
inline std::string_view remedy_of(SinkState state, std::string_view problem) noexcept {
  if (problem.empty()) return {};
  return remedy_of(state == SinkState::down ? SinkState::down : SinkState::blocked);
}

}  // namespace satchel
