// SPDX-License-Identifier: MIT
#include "base/quiet_thread.hpp"

#include <doctest/doctest.h>

#include <csignal>

TEST_CASE("quiet thread: all signals are blocked but those of a fault of its own") {
  sigset_t blocked;
  sigemptyset(&blocked);
  satchel::start_quiet_thread([&] { pthread_sigmask(SIG_SETMASK, nullptr, &blocked); }).join();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGPIPE, SIGRTMIN}) {
    CAPTURE(signal);
    CHECK(sigismember(&blocked, signal) == 1);
  }
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    CAPTURE(signal);
    CHECK(sigismember(&blocked, signal) == 0);
  }
}

TEST_CASE("quiet thread: whoever starts it has the signals that he had") {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  satchel::start_quiet_thread([] {}).join();
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < SIGRTMAX; ++signal)
    CHECK(sigismember(&before, signal) == sigismember(&after, signal));
}

TEST_CASE("quiet thread: a crash there comes to the handler of the application") {
  // A fault whose signal is blocked ends the process, handler or not.
  static volatile sig_atomic_t handled = 0;
  struct sigaction before {};
  struct sigaction mine {};
  mine.sa_handler = [](int) { handled = 1; };
  sigaction(SIGFPE, &mine, &before);
  satchel::start_quiet_thread([] { raise(SIGFPE); }).join();
  sigaction(SIGFPE, &before, nullptr);
  CHECK(handled == 1);
}
