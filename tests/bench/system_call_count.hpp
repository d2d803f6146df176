// SPDX-License-Identifier: MIT
#pragma once

#include "bench/gate_marks.hpp"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// The kernel allows no tracing: a container can forbid it.
class NoTracing : public std::runtime_error {
 public:
  NoTracing() : std::runtime_error{"the kernel allows no tracing"} {}
};

/// System calls of a program and its threads between its two marks, by their number. Counted by tracing, so
/// that it does not matter how busy the machine is.
class SystemCallCount {
 public:
  /// Runs the program to its end. Throws when it fails, `NoTracing` when it cannot be traced.
  explicit SystemCallCount(const std::vector<std::string>& command) {
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    child_ = ::fork();
    if (child_ == -1) throw std::runtime_error{"fork"};
    if (child_ == 0) become(words.data());
    watch();
  }

  std::uint64_t all() const {
    std::uint64_t sum = 0;
    for (const auto& [number, count] : counts_) sum += count;
    return sum;
  }
  std::uint64_t of(std::initializer_list<int> numbers) const {
    std::uint64_t sum = 0;
    for (const int number : numbers) {
      const auto found = counts_.find(static_cast<std::uint64_t>(number));
      if (found != counts_.end()) sum += found->second;
    }
    return sum;
  }
  const std::map<std::uint64_t, std::uint64_t>& by_number() const noexcept { return counts_; }

 private:
  static constexpr int kNotTraced = 97;

  [[noreturn]] static void become(char** words) {
    // What it prints is not asked for.
    const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(nothing, STDOUT_FILENO);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(kNotTraced);
    ::execv(words[0], words);
    ::_exit(kNotTraced);
  }

  void watch() {
    int status = 0;
    if (::waitpid(child_, &status, 0) != child_ || !WIFSTOPPED(status)) throw NoTracing{};
    ::ptrace(PTRACE_SETOPTIONS, child_, nullptr,
             PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    ::ptrace(PTRACE_SYSCALL, child_, nullptr, nullptr);
    for (;;) {
      const pid_t thread = ::waitpid(-1, &status, __WALL);
      if (thread == -1 && errno == EINTR) continue;
      if (thread == -1) throw std::runtime_error{"waitpid"};
      if (thread == child_ && (WIFEXITED(status) || WIFSIGNALED(status))) break;
      if (WIFSTOPPED(status)) go_on(thread, status);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error{"the traced program failed"};
    if (marks_ != 2) throw std::runtime_error{"the traced program set no marks"};
  }

  void go_on(pid_t thread, int status) {
    const int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) {
      count(thread);
      ::ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr);
      return;
    }
    // Stops that tracing makes are not the program's: the first of a new thread, and those at its making.
    const bool own = signal == SIGTRAP || signal == SIGSTOP;
    ::ptrace(PTRACE_SYSCALL, thread, nullptr, own ? 0L : static_cast<long>(signal));
  }

  void count(pid_t thread) {
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
      return;
    if (info.entry.nr == SYS_getpgid && info.entry.args[0] == static_cast<std::uint64_t>(kMark)) {
      ++marks_;
    } else if (marks_ == 1) {
      ++counts_[info.entry.nr];
    }
  }

  pid_t child_ = -1;
  int marks_ = 0;
  std::map<std::uint64_t, std::uint64_t> counts_;
};

}  // namespace bench
