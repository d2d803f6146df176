// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace satchel {

/// Blocks every signal in this thread for as long as it lives, but for those that a fault of the thread's own
/// raises; a thread made meanwhile has them blocked for ever. Signals are the application's, and a write to a
/// closed connection must not end the process by SIGPIPE. A fault whose signal is blocked would end it behind
/// the back of the application's crash handler.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t signals;
    sigfillset(&signals);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
      sigdelset(&signals, fault);
    pthread_sigmask(SIG_SETMASK, &signals, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

/// Starts a thread that no signal of the application is delivered to. Throws `std::system_error`.
template <class Body>
std::thread start_quiet_thread(Body&& body) {
  const SignalsBlocked blocked;
  return std::thread{std::forward<Body>(body)};
}

}  // namespace satchel
