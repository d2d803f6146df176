// SPDX-License-Identifier: MIT
//
// Memory that runs out when a test says so: SQLite's, and that of operator new. For programs of their own,
// because both are the whole program's.
#pragma once

#include <cstdint>

namespace memory {

enum class Source : std::uint8_t { sqlite, heap };

/// Puts itself between SQLite and its allocator. Before any use of SQLite.
void install();

/// Makes the `nth` allocation (1: the next) fail, once or from then on.
void fail(Source source, std::uint64_t nth, bool for_ever) noexcept;
void heal() noexcept;

/// Allocations of the source since the last `fail` or `count_from_here`.
std::uint64_t count(Source source) noexcept;
void count_from_here() noexcept;
/// Allocations that were made to fail since the last `fail`.
std::uint64_t failures() noexcept;
/// Blocks of operator new that are in use.
std::int64_t blocks() noexcept;

/// Between the two no allocation fails or counts: for what the test itself writes down. They nest.
void spare() noexcept;
void unspare() noexcept;

}  // namespace memory
