// SPDX-License-Identifier: MIT
#include "store/checkpoint.hpp"

#include <satchel/error.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace satchel::store {

CheckpointRight::CheckpointRight(std::shared_ptr<SharedFile> file, const std::string& relay_path) noexcept
    : file_{std::move(file)} {
  if (file_->checkpointing.test_and_set()) return;
  try {
    // Opened anew each time: the file may have been deleted and made again, and only its present one excludes
    // other processes.
    lock_.emplace(relay_path);
    if (!lock_->try_lock(RelayByte::checkpoint)) lock_.reset();
  } catch (const std::exception&) {
    lock_.reset();
  }
  if (!lock_) file_->checkpointing.clear();
}

CheckpointRight::~CheckpointRight() {
  if (!lock_) return;
  lock_.reset();
  file_->checkpointing.clear();
}

int CheckpointRight::checkpoint(sqlite3* connection, std::int64_t threshold) noexcept {
  int frames = 0;
  int copied = 0;
  const int result =
      sqlite3_wal_checkpoint_v2(connection, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
  if (result == SQLITE_OK && frames == copied) {
    // The next writer starts the log anew.
    file_->wal_frames.store(0);
    file_->retry_at_frames.store(0);
  } else {
    // A reader or writer is in the way; not again at every commit.
    const std::int64_t now = std::max<std::int64_t>(frames, file_->wal_frames.load());
    file_->retry_at_frames.store(now + std::max<std::int64_t>(threshold / 4, 1));
  }
  return result;
}

bool checkpoint_due(const SharedFile& file, std::int64_t threshold) noexcept {
  const std::int64_t frames = file.wal_frames.load();
  return frames >= threshold && frames >= file.retry_at_frames.load();
}

}  // namespace satchel::store
