// SPDX-License-Identifier: MIT
#include "signals.hpp"

#include <satchel/error.hpp>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace satchel::cli {

Signals::Signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&wanted, number);
  pthread_sigmask(SIG_BLOCK, &wanted, &before_);
  descriptor_ = ::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor_ < 0) {
    throw StorageError{"wait for signals", std::generic_category().message(errno), "close other programs",
                       errno};
  }
}

Signals::~Signals() {
  ::close(descriptor_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Signals::Event Signals::wait_until(std::chrono::steady_clock::time_point time, bool keyboard) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - std::chrono::steady_clock::now());
  std::array<pollfd, 2> polled{{{descriptor_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
  const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  if (::poll(polled.data(), keyboard ? 2 : 1, timeout) <= 0) return Event::none;
  signalfd_siginfo signal{};
  while (::read(descriptor_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
    if (signal.ssi_signo != static_cast<unsigned>(SIGWINCH)) return Event::stop;
  }
  return keyboard && polled[1].revents != 0 ? Event::key : Event::none;
}

}  // namespace satchel::cli
