// SPDX-License-Identifier: MIT
#pragma once

#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

extern char** environ;

namespace cli_test {

/// How a run of the program ended.
struct Outcome {
  int code = -1;  ///< its exit status; 128 and more: it died of a signal
  std::string out;
  std::string err;
};

inline std::string read_file(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream{path, std::ios::binary} << text;
}

/// A folder with a database that is not there yet, and the program to be run on it.
class Bench {
 public:
  std::string file(const std::string& name = "device.db") const { return folder_.path() + "/" + name; }

  /// Runs `satchel` to its end. Its standard streams are files: no terminal is near.
  Outcome run(const std::vector<std::string>& words, const std::string& input = {}) const {
    const std::string in = file("in");
    const std::string out = file("out");
    const std::string err = file("err");
    write_file(in, input);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    std::vector<std::string> all{SATCHEL_PROGRAM};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t pid = -1;
    const int failure = posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) throw std::runtime_error{"cannot start " + all[0]};
    int status = 0;
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
    }
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, read_file(out), read_file(err)};
  }

  /// Puts a message into the file, which is made when it is not there; its id.
  std::string send(const std::string& topic, const std::string& payload,
                   std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"send", file(), topic, "--create"};
    if (!payload.empty()) words.push_back(payload);
    words.insert(words.end(), more.begin(), more.end());
    const Outcome sent = run(words);
    if (sent.code != 0) throw std::runtime_error{"send failed: " + sent.err};
    return sent.out.substr(0, sent.out.find('\n'));
  }

 private:
  support::TempDir folder_;
};

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::size_t lines_in(const std::string& text) {
  std::size_t lines = 0;
  for (const char c : text) lines += c == '\n' ? 1 : 0;
  return lines;
}

}  // namespace cli_test
