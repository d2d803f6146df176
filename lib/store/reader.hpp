// SPDX-License-Identifier: MIT
#pragma once

#include "store/connection.hpp"
#include "store/store.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace satchel::store {

/// Pending messages are counted one by one up to this number; beyond it the span of their ids is told.
inline constexpr std::uint64_t kCountedExactly = 100'000;

/// Counts what the file holds.
Counts count(SQLite::Database& database);

/// Dead letters with ids above `after`, in ascending order, at most `limit`. `retries`: the file has a column
/// for their limits of attempts, which that of the first version has not.
std::vector<DeadLetter> list_dead(Connection& reader, std::size_t limit, std::int64_t after,
                                  bool retries = true);

/// What was dropped, by reason and topic.
std::vector<Dropped> list_dropped(Connection& reader);

}  // namespace satchel::store
