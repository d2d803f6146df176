// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT
#include "small_disk.hpp"

#include "support/report.hpp"

#include <cstdio>

namespace {

constexpr int kSkipped = 77;

std::string why_not() {
  if (std::string reason = disk_full::leave_the_common_mounts(); !reason.empty()) return reason;
  try {
    const disk_full::SmallDisk disk{1U << 20U};
    disk.fill();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  if (const std::string reason = why_not(); !reason.empty()) {
    std::printf("skipped: a small file system of its own cannot be mounted here: %s\n", reason.c_str());
    return kSkipped;
  }
  return support::run_and_report(count, arguments);
}
