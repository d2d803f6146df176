// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/satchel.h>

#include <utility>

namespace satchel::capi {

/// Keeps the exception that is being handled as the last error of this thread; returns its code.
int keep_error(const char* operation) noexcept;

/// Runs `action`; nothing that it throws comes out. Returns SATCHEL_OK or the code of what it threw.
template <class Action>
int guarded(const char* operation, Action&& action) noexcept {
  try {
    std::forward<Action>(action)();
    return SATCHEL_OK;
  } catch (...) {
    return keep_error(operation);
  }
}

}  // namespace satchel::capi
