// SPDX-License-Identifier: MIT
#pragma once

#include "support/fault_vfs.hpp"

#include <poll.h>

#include <chrono>
#include <string>

namespace bench {

/// A VFS on which every sync takes so much longer, as on a slow flash device.
class SlowDisk {
 public:
  explicit SlowDisk(std::chrono::nanoseconds sync) {
    vfs_.on_operation([sync](support::FileOp op, support::FileKind) {
      if (op != support::FileOp::sync) return;
      const timespec span{0, sync.count()};
      ::ppoll(nullptr, 0, &span, nullptr);
    });
  }
  const std::string& name() const noexcept { return vfs_.name(); }

 private:
  support::FaultVfs vfs_;
};

}  // namespace bench
