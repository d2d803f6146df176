// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <csignal>

namespace satchel::cli {

/// Takes SIGINT, SIGTERM and SIGHUP as a wish to stop, as long as it lives, instead of dying of them. Make it
/// before the first thread: they inherit what is blocked.
class Signals {
 public:
  enum class Event { none, stop, key };

  /// Throws `StorageError`.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Waits until then, or for a signal, or, when asked for, until standard input can be read. A new size of
  /// the window ends it early with `none`.
  Event wait_until(std::chrono::steady_clock::time_point time, bool keyboard);

 private:
  sigset_t before_{};
  int descriptor_ = -1;
};

}  // namespace satchel::cli
