// SPDX-License-Identifier: MIT
#pragma once

namespace satchel {

/// Counts the forks between the first process and this one, counted from the first call. An object that
/// remembers the value of its birth knows that it lives in a child when the value differs. Cheap and
/// thread-safe.
unsigned fork_generation() noexcept;

/// Throws `UsageError` when the process was forked since `generation` was read.
void refuse_in_child(unsigned generation, const char* operation);

}  // namespace satchel
