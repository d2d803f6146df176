// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/topic_rule.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace satchel {

/// True when a route with these filters takes the topic. `#` alone takes what begins with a dollar, too: such
/// a route leaves nothing over.
inline bool takes_topic(const std::vector<std::string>& filters, std::string_view topic) noexcept {
  return std::any_of(filters.begin(), filters.end(), [topic](const std::string& filter) {
    return filter == "#" || topic_matches(filter, topic);
  });
}

}  // namespace satchel
