// SPDX-License-Identifier: MIT
#pragma once

#include "store/descriptor.hpp"

#include <satchel/clock.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace satchel::store {

/// Looks again after 1, 2, 4 ... ms, until about a quarter of a second has passed: for what is announced a
/// little before it happens.
class Ladder {
 public:
  void start(BootTime now) noexcept;
  void stop() noexcept { next_.reset(); }
  /// True when a look is due; goes to the next rung.
  bool take(BootTime now) noexcept;
  /// When the next look is due; nothing: the ladder has ended.
  std::optional<BootTime> next() const noexcept { return next_; }

 private:
  std::optional<BootTime> next_;
  std::chrono::milliseconds step_{1};
};

/// Notices what other processes do to the files, by inotify. Relay thread only.
class Watch {
 public:
  struct Seen {
    bool touched = false;   ///< somebody committed, and said so
    bool released = false;  ///< a leader may have ended
    bool gone = false;      ///< the relay file was deleted or moved
    bool written = false;   ///< the log was written to; the commit may not be visible yet
  };

  /// Starts watching the relay file and, if the path is not empty, the log. Without effect on what is watched
  /// already; false when inotify is not to be had.
  bool watch(const std::string& relay_path, const std::string& wal_path) noexcept;
  /// Takes up what happened since the last call.
  Seen drain() noexcept;
  /// Readable when something happened; -1 when nothing is watched.
  int descriptor() const noexcept { return descriptor_.get(); }
  bool works() const noexcept { return relay_ >= 0; }

 private:
  Descriptor descriptor_;
  int relay_ = -1;
  int wal_ = -1;
};

}  // namespace satchel::store
