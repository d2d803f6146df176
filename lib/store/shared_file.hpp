// SPDX-License-Identifier: MIT
#pragma once

#include "base/fork.hpp"
#include "store/flight.hpp"
#include "store/gate.hpp"
#include "store/riders.hpp"

#include <satchel/route.hpp>

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace satchel::store {

class Connection;

/// The first frames of a write-ahead log, and the salt that differs each time it is begun anew.
struct LogExtent {
  std::uint64_t salt = 0;
  std::int64_t frames = 0;

  /// Tells one extent from another.
  std::uint64_t mark() const noexcept {
    constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15U;
    return salt ^ (static_cast<std::uint64_t>(frames) * kSpread);
  }
};

/// What connections have written, as far as it is counted: see `Wear`.
struct Written {
  std::uint64_t bytes = 0;
  std::uint64_t syncs = 0;
};

/// What all stores of this process on one database file share. Thread-safe.
struct SharedFile {
  SharedFile(dev_t on, ino_t node) noexcept : device{on}, inode{node} {}

  const dev_t device;
  const ino_t inode;
  const unsigned born = fork_generation();
  Gate gate;
  /// Set while a thread of this process checkpoints.
  std::atomic_flag checkpointing = ATOMIC_FLAG_INIT;
  /// Frames in the write-ahead log after the last commit of this process.
  std::atomic<std::int64_t> wal_frames{0};
  /// `LogExtent::mark` of the log when all of it was copied last.
  std::atomic<std::uint64_t> copied_mark{0};
  /// A sync failed: what lies behind `synced` may never reach the medium unless it is written again. Until
  /// then nothing is committed and nothing checkpointed.
  std::atomic<bool> log_in_doubt{false};
  /// A checkpoint failed: what was copied into the database may never reach the medium, either.
  std::atomic<bool> database_in_doubt{false};
  std::mutex extent_mutex;
  // Guarded by extent_mutex:
  LogExtent synced;        ///< known to be on the medium
  std::string relay_path;  ///< where a doubt is noted, for a process that comes after this one
  std::string boot_id;
  /// Frames at which the next checkpoint is worth trying again after one that could not finish; 0: the usual
  /// threshold.
  std::atomic<std::int64_t> retry_at_frames{0};

  Flight flight;
  Riders riders;

  /// True when a route numbers its messages.
  std::atomic<bool> sequenced{false};
  std::shared_ptr<const std::vector<RouteOptions>> sequenced_routes() const {
    const std::lock_guard lock{routes_mutex};
    return routes;
  }
  mutable std::mutex routes_mutex;
  /// Guarded by routes_mutex: all routes in their order, for finding the one that a message takes.
  std::shared_ptr<const std::vector<RouteOptions>> routes;

  /// Counts the commits of this process with messages that wait for their `not_before`.
  std::atomic<std::uint64_t> delayed{0};

  /// What the last checkpoint has copied; used by the holder of the right to checkpoint only.
  LogExtent copied;
  std::atomic<std::uint64_t> bytes_written{0};
  std::atomic<std::uint64_t> syncs{0};
  Written written() const noexcept { return {bytes_written.load(), syncs.load()}; }

  std::mutex unended_mutex;
  /// Guarded by unended_mutex: a connection whose transaction could not be rolled back for want of memory. It
  /// keeps SQLite's write lock, so whoever holds the gate next and begins has to end it first.
  Connection* unended = nullptr;
};

/// The one object for the file at `path`, found by device and inode so that every spelling of the path leads
/// to it. Throws `StorageError` when the file is not there, and as `refuse_inherited` does.
std::shared_ptr<SharedFile> shared_file(const std::string& path);

/// Throws `UsageError` when the file was open in the process that this one was forked from. SQLite still
/// counts the locks there as its own, which no child inherits: it would read and write without any.
void refuse_inherited(const std::string& path);

/// Throws `StorageError` when `file` is not at `path` any more: deleted, moved, or replaced by another. What
/// is written into it would be gone when it is closed, without a word.
void refuse_moved(const SharedFile& file, const std::string& path, const char* operation);

}  // namespace satchel::store
