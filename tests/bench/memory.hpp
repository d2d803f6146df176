// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace bench {

/// What the kernel says about this process, by name: the number behind `name:` in a file of /proc; 0 when it
/// is not there.
inline double proc_number(const std::string& file, const std::string& name) {
  std::ifstream lines{file};
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

/// Memory that this process shares with nobody.
inline double private_memory_kib() {
  const std::string file = "/proc/self/smaps_rollup";
  return proc_number(file, "Private_Clean") + proc_number(file, "Private_Dirty");
}
inline double resident_memory_kib() { return proc_number("/proc/self/smaps_rollup", "Rss"); }

/// How often threads of this process went to sleep and were woken, so far.
inline double wakeups() {
  double sum = 0;
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"})
    sum += proc_number(task.path().string() + "/status", "voluntary_ctxt_switches");
  return sum;
}

/// Bytes that this process handed to write calls of any kind, so far.
inline double written_bytes() { return proc_number("/proc/self/io", "wchar"); }

}  // namespace bench
