// SPDX-License-Identifier: MIT
#include "store/checkpoint.hpp"

#include "store/errors.hpp"
#include "store/log.hpp"

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
  // Pages that are newer than what a power cut leaves of the log would be a damaged file.
  if (file_->log_in_doubt.load()) return SQLITE_BUSY;
  if (file_->database_in_doubt.load()) {
    if (const int mended = mend_database(connection, *file_); mended != SQLITE_OK) return mended;
  }
  // Nobody begins the log anew while it is not yet copied.
  const std::optional<LogExtent> log = log_extent(connection);
  // What pages are copied from must never be written again, and of what SQLite syncs by itself nothing is
  // known when the copying fails, or stops half-way.
  if (log && !is_synced(*log, *file_)) {
    if (const int synced = sync_log(connection, *file_); synced != SQLITE_OK) return synced;
  }
  int frames = 0;
  int copied = 0;
  const int result =
      sqlite3_wal_checkpoint_v2(connection, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
  note_copied(connection, log, copied);
  if (primary(result) == SQLITE_IOERR) {
    file_->database_in_doubt.store(true);
    doubt_log(*file_);
  } else if (result == SQLITE_OK && log && copied > 0) {
    // What was copied was synced before that.
    const std::optional<LogExtent> now = log_extent(connection);
    if (now && now->salt == log->salt) note_synced({log->salt, copied}, *file_);
  }
  if (result == SQLITE_OK && frames == copied) {
    // The next writer starts the log anew.
    file_->wal_frames.store(0);
    file_->retry_at_frames.store(0);
    if (log) file_->copied_mark.store(LogExtent{log->salt, frames}.mark());
  } else {
    // A reader or writer is in the way; not again at every commit.
    const std::int64_t now = std::max<std::int64_t>(frames, file_->wal_frames.load());
    file_->retry_at_frames.store(now + std::max<std::int64_t>(threshold / 4, 1));
  }
  return result;
}

/// SQLite tells how many frames of the log are copied by now, and copies each page once: an upper bound. The
/// log is synced before that, the database behind it.
void CheckpointRight::note_copied(sqlite3* connection, const std::optional<LogExtent>& log,
                                  int frames) noexcept {
  constexpr std::uint64_t kSyncs = 2;
  const LogExtent now{log ? log->salt : 0, std::max(frames, 0)};
  const LogExtent before = std::exchange(file_->copied, now);
  const std::int64_t fresh = now.salt == before.salt ? now.frames - before.frames : now.frames;
  if (fresh <= 0) return;
  const auto ask = [connection](const char* pragma) {
    sqlite3_stmt* statement = nullptr;
    std::int64_t value = 0;
    if (sqlite3_prepare_v2(connection, pragma, -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
      value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
  };
  file_->bytes_written += static_cast<std::uint64_t>(ask("PRAGMA page_size")) *
                          static_cast<std::uint64_t>(std::min(fresh, ask("PRAGMA page_count")));
  file_->syncs += kSyncs;
}

bool checkpoint_due(const SharedFile& file, std::int64_t threshold) noexcept {
  const std::int64_t frames = file.wal_frames.load();
  return frames >= threshold && frames >= file.retry_at_frames.load();
}

}  // namespace satchel::store
