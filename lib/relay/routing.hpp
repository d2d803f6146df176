// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::relay {

/// Which route a message takes: the first of which a filter matches. The filter `#` takes all there is, names
/// that begin with `$` included, for nothing else would ever take those.
class Routing {
 public:
  /// The topic filters of each route.
  explicit Routing(std::vector<std::vector<std::string>> filters) : filters_{std::move(filters)} {}

  /// Nothing: no route takes it. A row without a topic cannot be read as a message and is the first route's.
  std::optional<std::size_t> of(std::string_view topic) const noexcept;

  /// What a route takes; an empty function: everything. Refers to this object.
  std::function<bool(std::string_view)> taken_by(std::size_t route) const;

 private:
  bool matches(std::size_t route, std::string_view topic) const noexcept;

  std::vector<std::vector<std::string>> filters_;
};

}  // namespace satchel::relay
