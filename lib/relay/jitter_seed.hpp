// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <cstdint>
#include <functional>
#include <string_view>

namespace satchel::relay {

/// What a device draws its pauses from. Devices that boot at the same fake time must not draw the same ones:
/// its name, the identity of its file and `random` all go into it, so that any of them is enough.
inline std::uint64_t jitter_seed(std::string_view device_id, const Identity& identity, std::uint64_t random) {
  std::uint64_t seed = std::hash<std::string_view>{}(device_id);
  for (const std::uint8_t byte : identity) seed = seed * 1'099'511'628'211ULL ^ byte;
  return seed ^ random;
}

}  // namespace satchel::relay
