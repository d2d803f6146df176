// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// What opening does with a damaged file.
enum class OnDamage : std::uint8_t {
  /// Keeps the damaged file under another name, carries over into a new one what can still be read, the
  /// application's tables included, and goes on with that; see `SalvageReport`.
  salvage,
  /// Throws `OpenError` and leaves everything as it is.
  refuse,
};

/// What was carried over of one table.
struct SalvagedTable {
  std::string name;        ///< as in the database
  std::uint64_t rows = 0;  ///< that were carried over
  /// Every row could be read.
  bool whole = true;
  /// What went wrong; empty when nothing did.
  std::string problem;
};

/// What an opening found damaged and what it saved. The damaged file is kept and never opened again by
/// satchel: an expert's tools may get more out of it.
struct SalvageReport {
  /// What was found, in SQLite's words.
  std::string problem;
  /// The damaged file; its write-ahead log is beside it as `-wal`.
  std::string kept_as;
  /// Messages that are safe: they are sent as before, with their ids.
  std::uint64_t pending = 0;
  /// Dead letters that are safe.
  std::uint64_t dead = 0;
  /// Messages and dead letters were read to the end: none of them is lost.
  bool messages_whole = true;
  /// Row ids in the stretches of the messages' table that could not be read. So many messages may be lost at
  /// most; most of these ids may have been delivered long before.
  std::uint64_t unread_ids = 0;
  /// The end of the messages' table could not be read: newer messages than `unread_ids` counts may be lost.
  bool end_unread = false;
  /// Every table of the file, satchel's own included.
  std::vector<SalvagedTable> tables;
  /// Indexes, views, triggers and tables that could not be made again, and lost pages, with the reason.
  std::vector<std::string> left_out;

  /// In words, for a log.
  std::string summary() const;
};

}  // namespace satchel

#pragma GCC visibility pop
