// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace satchel::mqtt {

/// More than this in one packet from a broker is refused: nothing was subscribed to.
inline constexpr std::size_t kMaximumIncoming = 64U << 10U;

/// What the next bytes from a broker are.
struct Incoming {
  enum class Kind : std::uint8_t {
    whole,       ///< a packet that libmosquitto may read
    part,        ///< the beginning of one
    unexpected,  ///< a packet that no broker sends to a client which only publishes, or one too large
    malformed,
  };
  Kind kind = Kind::part;
  std::size_t size = 0;  ///< whole: of the packet; part: bytes that are needed to say more
  bool is_puback = false;
  std::uint16_t packet_id = 0;  ///< of a PUBACK
};

/// Looks at the packet that begins here. Its contents are libmosquitto's business, but for what libmosquitto
/// does not survive: version 2.0.11 ends the process at a property with an unknown number, and makes room for
/// as many bytes as the peer announces.
Incoming look_at(std::string_view bytes, bool v5) noexcept;

}  // namespace satchel::mqtt
