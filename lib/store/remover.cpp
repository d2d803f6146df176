// SPDX-License-Identifier: MIT
#include "store/remover.hpp"

#include <algorithm>

namespace satchel::store {

std::vector<Run> runs_of(std::vector<std::int64_t> rows) {
  std::sort(rows.begin(), rows.end());
  std::vector<Run> runs;
  for (const std::int64_t row : rows) {
    if (!runs.empty() && row <= runs.back().last + 1) {
      runs.back().last = row;
    } else {
      runs.push_back({row, row});
    }
  }
  return runs;
}

Remover::Remover(const SQLite::Database& database) noexcept
    : epoch_{database, "SELECT value FROM main.satchel_state WHERE name = 'epoch'"},
      // The topic tells a message from the tombstone that may stand in its place.
      remove_{database, "DELETE FROM main.satchel_message WHERE id BETWEEN ?1 AND ?2 AND topic <> ''"},
      any_attempts_{database, "SELECT 1 FROM main.satchel_attempt LIMIT 1"},
      remove_attempts_{database, "DELETE FROM main.satchel_attempt WHERE id BETWEEN ?1 AND ?2"} {}

std::int64_t Remover::epoch() {
  Use row{epoch_};
  return row->step() ? row->integer(0) : -1;
}

std::int64_t Remover::remove(const std::vector<Run>& runs) {
  bool attempts = false;
  {
    Use any{any_attempts_};
    attempts = any->step();
  }
  std::int64_t removed = 0;
  for (const Run& run : runs) {
    removed += remove_.bind(1, run.first).bind(2, run.last).run_and_count();
    if (attempts) remove_attempts_.bind(1, run.first).bind(2, run.last).run();
  }
  return removed;
}

}  // namespace satchel::store
