// SPDX-License-Identifier: MIT
#include "sinks/http/secret_file.hpp"

#include <satchel/error.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace satchel::http {

namespace {

constexpr std::int64_t kMaxBytes = 64 << 10;

[[noreturn]] void fail(const std::string& path, const std::string& problem, int code = 0) {
  throw Error{"read " + path, problem, "the sink takes its credentials from this file", code};
}

std::string trimmed(const std::string& line) {
  constexpr const char* kBlank = " \t\r\n";
  const std::size_t first = line.find_first_not_of(kBlank);
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

SecretFile::Version SecretFile::version() const {
  struct stat status {};
  if (stat(path_.c_str(), &status) != 0) fail(path_, std::strerror(errno), errno);
  return {status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size};
}

void SecretFile::read() {
  std::ifstream file{path_};
  if (!file) fail(path_, "it cannot be opened");
  // What fails from here on has to be read again, even if the file comes back as it was.
  known_ = {};
  lines_.clear();
  for (std::string line; std::getline(file, line);) {
    line = trimmed(line);
    if (!line.empty()) lines_.push_back(std::move(line));
  }
}

const std::vector<std::string>& SecretFile::lines() {
  const Version now = version();
  if (now == known_) return lines_;
  if (now.size > kMaxBytes) fail(path_, "it is larger than 64 KiB");
  read();
  if (lines_.empty()) fail(path_, "it is empty");
  // The version from before reading: a change in between is seen next time.
  known_ = now;
  return lines_;
}

}  // namespace satchel::http
