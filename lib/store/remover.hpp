// SPDX-License-Identifier: MIT
#pragma once

#include "store/statement.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <vector>

namespace satchel::store {

/// An unbroken run of row ids.
struct Run {
  std::int64_t first = 0;
  std::int64_t last = 0;
  bool operator==(const Run&) const = default;
};

/// Sorts the ids and joins neighbours: each run is one DELETE.
std::vector<Run> runs_of(std::vector<std::int64_t> rows);

/// Takes messages out of the file, inside a write transaction of one connection.
class Remover {
 public:
  explicit Remover(const SQLite::Database& database) noexcept;

  /// The epoch in the file: another number than the relay's own means that another relay has taken over.
  std::int64_t epoch();
  /// Deletes messages with what is known of their attempts; returns how many of them were still there. Leaves
  /// tombstones alone.
  std::int64_t remove(const std::vector<Run>& runs);

 private:
  Statement epoch_;
  Statement remove_;
  Statement any_attempts_;
  Statement remove_attempts_;
};

}  // namespace satchel::store
