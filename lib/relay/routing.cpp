// SPDX-License-Identifier: MIT
#include "relay/routing.hpp"

#include "base/route_topics.hpp"

#include <algorithm>

namespace satchel::relay {

std::optional<std::size_t> Routing::of(std::string_view topic) const noexcept {
  if (topic.empty()) return 0;
  for (std::size_t route = 0; route < filters_.size(); ++route) {
    if (matches(route, topic)) return route;
  }
  return std::nullopt;
}

std::function<bool(std::string_view)> Routing::taken_by(std::size_t route) const {
  const std::vector<std::string>& filters = filters_[route];
  const bool takes_all = std::find(filters.begin(), filters.end(), "#") != filters.end();
  if (route == 0 && takes_all) return {};
  return [this, route](std::string_view topic) { return of(topic) == route; };
}

bool Routing::matches(std::size_t route, std::string_view topic) const noexcept {
  return takes_topic(filters_[route], topic);
}

}  // namespace satchel::relay
