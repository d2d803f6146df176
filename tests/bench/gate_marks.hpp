// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

namespace bench {

/// A process asks for the group of this one where its counted part begins and where it ends: whoever traces
/// its system calls sees it.
constexpr pid_t kMark = 0x5A7C4E1;

inline void mark() { static_cast<void>(::getpgid(kMark)); }

}  // namespace bench
