// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <string>
#include <string_view>

namespace satchel {

/// `2026-11-23T12:00:00.000Z`.
std::string rfc3339(WallTime time);

/// RFC 4648 section 4, with padding.
std::string base64(std::string_view bytes);

}  // namespace satchel
