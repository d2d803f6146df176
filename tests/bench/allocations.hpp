// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace bench {

/// Blocks of memory that this process has asked for so far, SQLite and other libraries included.
std::uint64_t allocations() noexcept;

}  // namespace bench
