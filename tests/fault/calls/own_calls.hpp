// SPDX-License-Identifier: MIT
//
// The system calls that the library makes itself, without SQLite: on its relay file, and to watch files. And
// a file system that becomes read-only under open files, for the library and SQLite alike.
#pragma once

#include <cstdint>

namespace own_calls {

enum class Kind : std::uint8_t {
  own,    ///< opening, reading, writing, locking and reserving the relay file; watching files
  change  ///< everything that changes a file or its directory, of SQLite too
};

/// The `nth` call of this kind fails, and with `for_ever` all after it.
void fail(Kind kind, std::uint64_t nth, bool for_ever) noexcept;
void heal() noexcept;
std::uint64_t failures() noexcept;

}  // namespace own_calls
