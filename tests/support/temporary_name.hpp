// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace support {

/// A name in the folder for temporary files that nothing has at the moment.
inline std::string temporary_name() {
  std::string name = (std::filesystem::temp_directory_path() / "satchel-XXXXXX").string();
  const int file = mkstemp(name.data());
  if (file < 0) throw std::runtime_error{"mkstemp failed"};
  close(file);
  std::filesystem::remove(name);
  return name;
}

}  // namespace support
