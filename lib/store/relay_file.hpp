// SPDX-License-Identifier: MIT
#pragma once

#include "store/descriptor.hpp"
#include "store/relay_record.hpp"
#include "store/shared_file.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::store {

/// The bytes of `<file>-relay` that are locked, each for one purpose.
enum class RelayByte : std::uint8_t {
  leader = 0,      ///< held by the one relay of the database
  checkpoint = 1,  ///< held around a checkpoint, from the frame committed right before it
  opening = 2,     ///< held while the database is made or migrated
  in_use = 3,      ///< shared by all who have the database open; a salvage wants it for itself
  standby = 4,     ///< shared by the relays that wait for the leader's end
};

/// The newest round of a relay.
struct RelayRound {
  std::int64_t began = 0;  ///< boot clock, ms
  bool over = false;
};

/// One opening of `<file>-relay`. Its locks are the kernel's, belong to this opening alone (also against
/// others in this process) and end with it. One thread at a time.
class RelayFile {
 public:
  /// Opens the file or makes it, with mode and owner of the database or, where there is none yet, with mode
  /// 0600. Throws `OpenError` or `FullError`.
  explicit RelayFile(std::string path);
  /// Opens the file to look at it: nothing is made, no lock can be taken. Nothing when it cannot be read.
  static std::optional<RelayFile> existing(const std::string& path);

  /// True when this opening made the file.
  bool made() const noexcept { return made_; }
  const std::string& path() const noexcept { return path_; }
  /// False when the path no longer leads to the opened file: it was deleted or replaced.
  bool current() const noexcept;

  /// Locks one byte; false when somebody else has it. Throws `StorageError`.
  bool try_lock(RelayByte byte);
  /// Locks one byte together with all others who share it; false when somebody has it for himself.
  bool try_share(RelayByte byte);
  /// `try_lock`, trying until `timeout` has passed.
  bool lock(RelayByte byte, std::chrono::milliseconds timeout);
  void unlock(RelayByte byte) noexcept;
  /// True when somebody else has the byte locked, as far as the kernel says. Locks nothing.
  bool taken(RelayByte byte) const noexcept;
  /// True when nobody is the relay of the database; false also when that cannot be said, as of a file that
  /// was replaced.
  bool surely_without_leader() const noexcept;
  /// True when another opening has locked the byte.
  bool held(RelayByte byte) const noexcept;

  /// The newest row that was committed, beside the database: when the end of that is lost, this still knows.
  /// Not synced, for one commit after the other. Throws `FullError`, `StorageError`.
  void note_newest(const Identity& origin, std::int64_t row) const;
  /// What was noted, in the origin and the highest id of a record.
  std::optional<RelayRecord> newest() const;

  /// The newest record, with the newest row that was committed in place of the highest that was sent; nothing
  /// when the file knows of neither.
  std::optional<RelayRecord> past() const;

  /// A mark that SQLite has met damage in the database. Throws `StorageError`, `FullError`.
  void mark_damage(bool damaged) const;
  bool damage_marked() const;

  /// A text about how the relay is doing, for those who look from outside; what does not fit is cut off.
  /// Throws `StorageError`, `FullError`.
  void note_health(std::string_view text) const;
  /// The text; empty when there is none, or it is being written.
  std::string health() const;

  /// What the relay is doing, in more words and written more often; what has no room is cut off. Throws
  /// `StorageError`, `FullError`.
  void note_snapshot(std::string_view text) const;
  /// The text; empty when there is none, or it is being written.
  std::string snapshot() const;
  static constexpr std::size_t kSnapshotBytes = (32U << 10U) - 8;

  /// Tells of a round, or takes that back. It is told by a lock, whose place is the time: that writes
  /// nothing, and ends with this opening.
  void mark_round(std::optional<RelayRound> round) noexcept;
  /// What another opening has marked.
  std::optional<RelayRound> marked_round() const noexcept;

  /// What is known to be on the medium of a log whose sync has failed; nothing: it is no longer in doubt. It
  /// counts in the same boot alone: a power cut shows what is there. Throws `StorageError`, `FullError`.
  void note_doubt(const std::optional<LogExtent>& synced, const std::string& boot_id) const;
  std::optional<LogExtent> doubt(const std::string& boot_id) const;

  /// The newest whole record; nothing when there is none. Throws `StorageError`.
  std::optional<RelayRecord> read() const;
  /// Writes the record into the slot that does not hold the newest one. `record.sequence` has to be greater
  /// than that of every earlier record. Throws `FullError`, `StorageError`; the earlier record is then still
  /// there.
  void write(const RelayRecord& record) const;
  /// Takes the space beforehand that records with up to so many ids in flight need. Throws `FullError`.
  void reserve(std::size_t ids) const;

 private:
  RelayFile() = default;
  void reserve_slots() const;
  bool take(RelayByte byte, short type);

  std::string path_;
  bool made_ = false;
  std::optional<RelayRound> round_;
  Descriptor descriptor_;
};

/// Tells every watcher of the file that there is something to take up, without a write: opens and closes it.
void touch_relay_file(const std::string& path) noexcept;

}  // namespace satchel::store
