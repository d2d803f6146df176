// SPDX-License-Identifier: MIT
#pragma once

#include "store/relay_file.hpp"
#include "store/shared_file.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

struct sqlite3;

namespace satchel::store {

/// The right to checkpoint one file: at most one holder in this process and, by a lock on `<file>-relay`, on
/// the device. It has to be held from before the commit of the frame that goes before the checkpoint until
/// its end: with such a frame no writer can restart the log in between, which is what corrupts a file under
/// SQLite before 3.51.3.
///
/// Made by one thread at a time for a file; each use tries and never waits.
class CheckpointRight {
 public:
  /// Takes the right, or is empty when somebody else has it or the lock cannot be had.
  CheckpointRight(std::shared_ptr<SharedFile> file, const std::string& relay_path) noexcept;
  ~CheckpointRight();
  CheckpointRight(const CheckpointRight&) = delete;
  CheckpointRight& operator=(const CheckpointRight&) = delete;

  explicit operator bool() const noexcept { return lock_.has_value(); }

  /// Copies the log into the database file, as far as readers allow, without waiting for anybody. Returns the
  /// SQLite result code. `threshold`: the frames at which checkpoints begin.
  int checkpoint(sqlite3* connection, std::int64_t threshold) noexcept;

 private:
  void note_copied(sqlite3* connection, const std::optional<LogExtent>& log, int frames) noexcept;

  std::shared_ptr<SharedFile> file_;
  std::optional<RelayFile> lock_;
};

/// True when the log has so many frames that a checkpoint is worth its price.
bool checkpoint_due(const SharedFile& file, std::int64_t threshold) noexcept;

}  // namespace satchel::store
