// SPDX-License-Identifier: MIT
//
// `plant/{line}/alarm`: a topic or a key with the event's fields in it.
#pragma once

#include <satchel/detail/event_fields.hpp>

#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace satchel::detail {

/// Every `{` closed, no `}` without one, a name in between.
constexpr bool is_template(std::string_view text) noexcept {
  while (true) {
    const std::size_t brace = text.find_first_of("{}");
    if (brace == std::string_view::npos) return true;
    const std::size_t end = text.find_first_of("{}", brace + 1);
    if (text[brace] != '{' || end == std::string_view::npos || text[end] != '}' || end == brace + 1)
      return false;
    text.remove_prefix(end + 1);
  }
}

constexpr bool has_fields(std::string_view text) noexcept { return text.find('{') != std::string_view::npos; }

/// A name with its fields put in. Throws `InvalidMessage` for a field that the event does not have, which
/// lists those that it has. `pattern` has to be a template.
std::string fill_key(std::string_view pattern, const EventFields& fields, std::string_view event);

/// The same for a topic, where a field must be one level of it: neither empty nor with a `/`, `+` or `#`,
/// else whoever sets the field could choose where the message goes.
std::string fill_topic(std::string_view pattern, const EventFields& fields, std::string_view event);

}  // namespace satchel::detail

#pragma GCC visibility pop
