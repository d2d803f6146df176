// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

extern char** environ;

namespace support {

/// The kind of processor that a program is for, as its ELF header says; empty: none.
inline std::string processor_of(const std::string& program) {
  std::array<char, 20> header{};
  std::ifstream file{program, std::ios::binary};
  if (!file.read(header.data(), header.size()) || header[1] != 'E') return {};
  return {header[18], header[19]};
}

/// What starts a program: where programs of this kind run in an emulator, TEST_LAUNCHER names it with its
/// arguments; programs of the machine itself do without.
inline std::vector<std::string> launched(const std::vector<std::string>& command) {
  const char* launcher = std::getenv("TEST_LAUNCHER");
  if (launcher == nullptr || processor_of(command.at(0)) != processor_of("/proc/self/exe")) return command;
  std::istringstream words{launcher};
  std::vector<std::string> whole;
  for (std::string word; words >> word;) whole.push_back(word);
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

/// A program started by a test: its standard input and output are pipes. Killed and reaped when destroyed.
class Child {
 public:
  explicit Child(const std::vector<std::string>& given) {
    const std::vector<std::string> command = launched(given);
    int input[2];
    int output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) throw std::runtime_error{"pipe2"};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int failure = posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(input[0]);
    close(output[1]);
    input_ = input[1];
    output_ = output[0];
    if (failure != 0) throw std::runtime_error{"cannot start " + command[0]};
  }
  ~Child() {
    if (pid_ > 0) {
      signal(SIGKILL);
      wait();
    }
    close_input();
    close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const noexcept { return pid_; }

  void signal(int number) const { ::kill(pid_, number); }

  /// Waits for the end; the status as waitpid gives it.
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) == -1 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  /// Kill -9, and all that it had written until then stays readable.
  void kill() {
    signal(SIGKILL);
    wait();
  }

  /// Writes a line to the child's standard input.
  void say(const std::string& text) const {
    const std::string whole = text + "\n";
    if (write(input_, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size()))
      throw std::runtime_error{"cannot write to the child"};
  }

  /// End of file on the child's standard input: asks it to end.
  void close_input() noexcept {
    if (input_ != -1) close(std::exchange(input_, -1));
  }

  /// The next line without its end; nothing at the end of the output or when none came for `patience`.
  std::optional<std::string> line(std::chrono::milliseconds patience = std::chrono::seconds{60}) {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string text = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return text;
      }
      pollfd polled{output_, POLLIN, 0};
      if (poll(&polled, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
      char chunk[65536];
      const ssize_t got = read(output_, chunk, sizeof chunk);
      if (got <= 0) return std::nullopt;
      buffer_.append(chunk, static_cast<std::size_t>(got));
    }
  }

  /// All lines until the end of the output. A torn last line, which a killed child may leave, is dropped.
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    while (auto text = line()) all.push_back(*text);
    return all;
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string buffer_;
};

}  // namespace support
