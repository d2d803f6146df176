// SPDX-License-Identifier: MIT
#pragma once

#include "store/boots.hpp"
#include "store/insert.hpp"
#include "store/statement.hpp"
#include "store/victims.hpp"

#include <cstdint>
#include <vector>

namespace satchel::store {

/// Finds messages that have expired and that no relay comes by to drop, because their route is down, paused
/// or held. On one connection, inside a write transaction.
class Expiry {
 public:
  explicit Expiry(sqlite3* database);

  /// Expired ones among the first rows of the file, and among a few further rows: others at each call, all of
  /// them in turns.
  std::vector<Victim> look(const EnqueueTime& at);

 private:
  /// Returns where the next look goes on; 0: there are no more rows.
  std::int64_t look_behind(std::int64_t after, const Present& present, std::vector<Victim>& found);

  sqlite3* const database_;
  Statement rows_;
  Offsets offsets_;
  std::int64_t after_ = 0;  ///< where the next look goes on
};

}  // namespace satchel::store
