// SPDX-License-Identifier: MIT
//
// What is known to be on the medium of the write-ahead log, and what is done when a sync has failed. After
// that the kernel takes what it could not write for written: it is still read, the next sync says that all is
// well, and a power cut shows that it is not. In a log everything behind such a gap is lost with it, also
// what was committed and synced later. So nothing is committed behind it before it was written once more.
#pragma once

#include "store/relay_file.hpp"
#include "store/shared_file.hpp"

#include <cstddef>
#include <optional>
#include <string>

struct sqlite3;

namespace satchel::store {

/// The log as it is now, by SQLite's index of it in shared memory; nothing when that cannot be read. Reads no
/// file.
std::optional<LogExtent> log_extent(sqlite3* connection) noexcept;

/// A sync has failed: nothing behind what is known to be synced is trusted any more, in this process and, by
/// a note beside the database, in one that comes after it in the same boot.
void doubt_log(SharedFile& file) noexcept;

/// Takes up a doubt that a process before this one has left, or else syncs the log: from here on it is known
/// what is on the medium. Nothing is written, and most times nothing is left to sync. A failure is met again,
/// and told, by who writes first.
void take_up_log(sqlite3* connection, const RelayFile& relay_file, const std::string& boot_id,
                 SharedFile& file) noexcept;

/// Counts what a commit has written, which has left the log at so many frames: see `Wear`.
void note_written(sqlite3* connection, std::size_t page_size, bool full, int frames,
                  SharedFile& file) noexcept;

/// Notes that a commit which has left the log at so many frames has synced them.
void note_commit(sqlite3* connection, std::int64_t frames, SharedFile& file) noexcept;

/// Notes that the first frames of the log were synced. Not believed while the log is in doubt.
void note_synced(const LogExtent& extent, SharedFile& file) noexcept;

/// Whether all of the log up to there is known to be on the medium.
bool is_synced(const LogExtent& extent, SharedFile& file) noexcept;

/// Syncs the log as it is: nothing is written. A failure puts it in doubt. Returns the SQLite result code.
int sync_log(sqlite3* connection, SharedFile& file) noexcept;

/// Writes once more what is not known to be on the medium, syncs it, and ends the doubt. Frames that are
/// known to be there are left alone: they must not depend on this going well. The caller holds the write
/// lock. Returns the SQLite result code.
int mend_log(sqlite3* connection, SharedFile& file) noexcept;

/// The same for the pages that a checkpoint has copied into the database and may not have synced: SQLite
/// copies those of a checkpoint that readers had stopped half-way no second time. All of them are in the log,
/// which is synced first. The caller holds the right to checkpoint. Returns the SQLite result code.
int mend_database(sqlite3* connection, SharedFile& file) noexcept;

}  // namespace satchel::store
