// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/salvage.hpp>

#include <cstdint>
#include <string>

namespace satchel::store {

/// What could be carried over, and what the new file has to know of the old one.
struct Salvage {
  SalvageReport report;
  /// Schema version of the damaged file; 0 where it could not be read.
  std::int64_t version = 0;
  /// The newest row that was read.
  std::int64_t newest = 0;
};

/// Carries everything that can be read in the SQLite file `from`, its write-ahead log included, over into the
/// new file `to`, which must not exist, and syncs it. Nothing is written into `from`. satchel's own tables
/// are made as this version knows them; the trigger and what is in `satchel_state`, but for numbers of routes
/// and notes, are left for the opening to make.
/// Throws `SQLite::Exception` when the new file cannot be written; that the old one cannot be read is no
/// failure but in the report.
Salvage salvage_into(const std::string& to, const std::string& from, std::size_t page_size,
                     const std::string& vfs);

}  // namespace satchel::store
