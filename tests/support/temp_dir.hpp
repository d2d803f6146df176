// SPDX-License-Identifier: MIT
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace support {

/// A new directory, removed with all that is in it when the object goes. On disk, or in memory where asked
/// and possible.
class TempDir {
 public:
  enum class Where { disk, memory };

  explicit TempDir(Where where = Where::disk) {
    std::filesystem::path parent = std::filesystem::temp_directory_path();
    std::error_code ignored;
    if (where == Where::memory && std::filesystem::is_directory("/dev/shm", ignored)) parent = "/dev/shm";
    std::string pattern = (parent / "satchel-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp failed"};
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace support
