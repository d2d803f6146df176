// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace satchel::outbox {

/// Starts a thread with all signals blocked: they are the application's, and a SIGPIPE from a broken
/// connection must not end the process. Throws `std::system_error`.
template <class Body>
std::thread start_quietly(Body&& body) {
  struct Blocked {
    Blocked() {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    ~Blocked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    sigset_t before{};
  };
  const Blocked blocked;
  return std::thread{std::forward<Body>(body)};
}

}  // namespace satchel::outbox
