// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/status.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::store {

/// How a relay is doing, as it tells those who look from outside.
struct RelayHealth {
  struct Sink {
    std::string name;
    SinkState state = SinkState::none;
    std::string problem;
    std::int64_t since = 0;  ///< boot clock, ms
  };
  std::string boot_id;  ///< that the times are of
  std::int64_t process = 0;
  std::vector<Sink> sinks;
  std::string failure;
};

/// The state that `to_string` calls so; `none` for other names.
SinkState state_named(std::string_view name);

/// As lines of text.
std::string encode(const RelayHealth& health);

/// The reverse, as far as the text goes.
RelayHealth decode_health(std::string_view text);

}  // namespace satchel::store
