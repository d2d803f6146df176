// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace satchel {

/// A thread that no signal of the application is delivered to; SIGPIPE included, which network libraries and
/// closed pipes cause.
template <typename Body>
std::thread start_quiet_thread(Body body) {
  struct Masked {
    Masked() {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    ~Masked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    sigset_t before{};
  };
  // A new thread takes over the mask of the one that starts it.
  const Masked masked;
  return std::thread{std::move(body)};
}

}  // namespace satchel
