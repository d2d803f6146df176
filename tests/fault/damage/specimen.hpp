// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/satchel.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace damage {

/// The bytes of a database and of the files beside it.
struct Files {
  std::string database;
  std::string log;
  std::string relay;

  static Files of(const std::string& path);
  /// Puts them where an outbox finds them, as after a crash: nothing else is there.
  void place(const std::string& path) const;
};

/// By table and primary key: what else is in the row.
using Rows = std::map<std::string, std::string>;

/// A file with a past, and what was committed to it.
struct Specimen {
  Files files;
  /// By row id: topic, a NUL, payload. Of messages that are pending, and of dead letters.
  std::map<std::int64_t, std::string> pending;
  std::map<std::int64_t, std::string> dead;
  Rows rows;  ///< of the application
  std::size_t page_size = 4096;
};

/// Makes a file with rows of the application in three tables, one of them without row ids, pending messages
/// short and long, dead letters, counted attempts, an index; `in_log`: a part of all that in the log alone.
Specimen make_specimen(std::uint32_t seed, bool in_log);

/// What a damaged device or a foreign program does to a file.
struct Injury {
  std::string what;
  std::string file;  ///< "database", "log" or "relay"
  std::size_t at = 0;
};

/// Where a bit counts for more than its own row: in the header of the file, and in the pages of the schema.
std::vector<std::size_t> vital_places(const Specimen& specimen);

void flip_bit(std::string& bytes, std::size_t at, unsigned bit);

/// Injures one of the files. Never without effect.
Injury injure(Files& files, std::mt19937& random);

/// What came of a file: everything that an outbox still knows, after all was sent that could be.
struct Outcome {
  std::map<std::int64_t, std::string> sent;
  std::map<std::int64_t, std::string> dead;
  Rows rows;
  /// What the application is told when it reads its rows; empty: nothing.
  std::string error;
  std::vector<satchel::SalvageReport> salvages;
  std::vector<std::string> notices;
  /// An opening that did not work, or a relay that came to no end.
  std::string failure;
  int openings = 0;
  bool opened = false;  ///< at least once
};

/// Opens the file, lets the relay send everything, opens it again where the relay stopped at damage.
Outcome live_on(const std::string& path, const satchel::Options& options);

}  // namespace damage
