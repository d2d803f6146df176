// SPDX-License-Identifier: MIT
#pragma once

#include "cli/program.hpp"
#include "support/programs.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace cli_test {

/// A real terminal of a fixed size, run by tmux, with one program in it. What is asserted is what a person
/// would see.
class Terminal {
 public:
  /// `command` is for the shell.
  explicit Terminal(const std::string& command, int columns = 80, int rows = 24) {
    if (support::find_program("tmux").empty()) throw std::runtime_error{"tmux is not installed"};
    const std::string fifo = folder_.path() + "/bytes";
    if (mkfifo(fifo.c_str(), 0600) != 0) throw std::runtime_error{"mkfifo failed"};
    bytes_ = open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const std::string wait = folder_.path() + "/go";
    if (mkfifo(wait.c_str(), 0600) != 0) throw std::runtime_error{"mkfifo failed"};
    // The program begins when its output is being recorded.
    tmux("new-session -d -x " + std::to_string(columns) + " -y " + std::to_string(rows) + " 'read go <" +
         wait + "; " + command + "; echo \"ended with $?\"; read end'");
    tmux("pipe-pane -O 'exec cat >" + fifo + "'");
    write_file(wait, "go\n");
  }
  ~Terminal() {
    tmux("kill-server", false);
    close(bytes_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// What the screen shows now.
  std::string screen() const { return tmux("capture-pane -p"); }

  /// Waits until the screen is as wanted, and gives it; throws with what it showed last.
  std::string wait(const std::function<bool(const std::string&)>& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    std::string shown;
    while (std::chrono::steady_clock::now() < deadline) {
      shown = screen();
      if (wanted(shown)) return shown;
      // Woken by what the program writes.
      pollfd polled{bytes_, POLLIN, 0};
      poll(&polled, 1, 500);
      take();
    }
    throw std::runtime_error{"the screen stays at:\n" + shown};
  }
  std::string wait_for(const std::string& text) {
    return wait([&](const std::string& shown) { return has(shown, text); });
  }

  void type(const std::string& keys) { tmux("send-keys " + keys); }
  void resize(int columns, int rows) {
    tmux("resize-window -x " + std::to_string(columns) + " -y " + std::to_string(rows));
  }

  /// The bytes that the program has written since the last call, as far as they have come.
  std::string written() {
    take();
    return std::exchange(seen_, {});
  }

 private:
  void take() {
    char chunk[65536];
    for (ssize_t n = 0; (n = read(bytes_, chunk, sizeof chunk)) > 0;)
      seen_.append(chunk, static_cast<std::size_t>(n));
  }

  std::string tmux(const std::string& words, bool must = true) const {
    const std::string command = "tmux -S " + folder_.path() + "/socket -f /dev/null " + words + " 2>&1";
    FILE* output = popen(command.c_str(), "re");
    if (output == nullptr) throw std::runtime_error{"cannot run tmux"};
    std::string text;
    char chunk[4096];
    for (std::size_t n = 0; (n = fread(chunk, 1, sizeof chunk, output)) > 0;) text.append(chunk, n);
    if (pclose(output) != 0 && must) throw std::runtime_error{"tmux " + words + ": " + text};
    return text;
  }

  support::TempDir folder_;
  int bytes_ = -1;
  std::string seen_;
};

}  // namespace cli_test
