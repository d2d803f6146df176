// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace satchel::http {

/// A small text file with secrets, which may be replaced while it is in use. One thread at a time.
class SecretFile {
 public:
  explicit SecretFile(std::string path) : path_{std::move(path)} {}

  /// Its lines without white space at their ends and without empty ones. Reads only when the file has changed
  /// since the last time. Throws `Error`, which names the path and never its content, when it cannot be read,
  /// is empty or over 64 KiB.
  const std::vector<std::string>& lines();

  /// The first line.
  const std::string& first() { return lines().front(); }

  /// Reads at the next call, changed or not.
  void forget() noexcept { known_ = {}; }

 private:
  struct Version {
    std::uint64_t inode = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::int64_t size = -1;
    bool operator==(const Version&) const = default;
  };
  Version version() const;
  void read();

  std::string path_;
  Version known_{};
  std::vector<std::string> lines_;
};

}  // namespace satchel::http
