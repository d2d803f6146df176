// SPDX-License-Identifier: MIT
#include "store/expiry.hpp"

#include "store/priorities.hpp"

#include <algorithm>

namespace satchel::store {
namespace {

/// Rows that one look reads at the head, and as many further on.
constexpr int kRows = 20;

}  // namespace

Expiry::Expiry(sqlite3* database)
    : database_{database},
      rows_{database,
            "SELECT id, topic, priority, sequence, boot, created, ttl FROM main.satchel_message NOT INDEXED"
            " WHERE id > ?1 ORDER BY id"} {}

std::vector<Victim> Expiry::look(const EnqueueTime& at) {
  offsets_.begin();
  Present present{at.boot, at.now, offsets_.of(database_, at.boot)};
  present.trusted = present.wall_offset.has_value();
  present.opened = at.opened;
  std::vector<Victim> found;
  const std::int64_t head = look_behind(0, present, found);
  // Zero: these were all.
  after_ = head == 0 ? 0 : look_behind(std::max(after_, head), present, found);
  return found;
}

std::int64_t Expiry::look_behind(std::int64_t after, const Present& present, std::vector<Victim>& found) {
  Use rows{rows_};
  rows->bind(1, after);
  for (int looked_at = 0; looked_at < kRows; ++looked_at) {
    if (!rows->step()) return 0;
    after = rows->integer(0);
    const std::optional<std::int64_t> time_to_live = rows->optional_integer(6);
    if (!time_to_live) continue;
    Moment born{rows->optional_integer(4), rows->optional_integer(5), std::nullopt};
    if (born.boot) born.wall_offset = offsets_.of(database_, *born.boot);
    const std::optional<std::int64_t> age = age_of(born, present);
    if (!age || remaining_of(*time_to_live, *age).count() > 0) continue;
    found.push_back({after, std::string{rows->text(1)}, priority_of(rows->optional_integer(2)),
                     rows->optional_integer(3)});
  }
  return after;
}

}  // namespace satchel::store
