// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

namespace satchel::mqtt {

/// Blocks every signal in this thread for as long as it lives; a thread made meanwhile has them blocked for
/// ever. Signals are the application's, and a write to a closed TLS connection must not end the process by
/// SIGPIPE.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace satchel::mqtt
