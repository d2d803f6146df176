// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/satchel.h>

#include <string>
#include <utility>

namespace satchel::capi {

/// Keeps the exception that is being handled as the last error of this thread; returns its code.
int keep_error(const char* operation) noexcept;

/// What went wrong, as C sees it.
struct KeptError {
  KeptError() = default;
  KeptError(const KeptError&) = delete;
  KeptError& operator=(const KeptError&) = delete;

  std::string operation;
  std::string problem;
  std::string hint;
  std::string text;
  satchel_error view{sizeof(satchel_error), SATCHEL_OK, 0, "", "", "", ""};

  void show(int code, int system_code) noexcept;
};

/// Copies the last error of this thread, which the next failure on it changes.
void copy_last_error(KeptError& copy) noexcept;

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
