// SPDX-License-Identifier: MIT
#include "store/victims.hpp"

#include "store/priorities.hpp"

namespace satchel::store {
namespace {

/// Ids that the search for normal messages passes before its place is written down.
constexpr std::int64_t kPassed = 250;

}  // namespace

Victims::Victims(sqlite3* database, WhenFull when_full)
    : when_full_{when_full},
      by_row_{database,
              "SELECT id, topic, priority, sequence FROM main.satchel_message NOT INDEXED WHERE id > ?1"
              " AND topic <> '' ORDER BY id"},
      by_priority_{database,
                   "SELECT id, topic, priority, sequence FROM main.satchel_message"
                   " INDEXED BY satchel_message_by_priority WHERE priority = ?2 AND id > ?1 ORDER BY id"},
      normal_{database,
              "SELECT id, topic, priority, sequence FROM main.satchel_message NOT INDEXED WHERE id > ?1"
              " AND priority IS NOT 1 AND priority IS NOT 2 AND topic <> '' ORDER BY id"},
      normal_messages_{database, "SELECT messages FROM main.satchel_quota WHERE priority = 0"},
      place_{database, "SELECT value FROM main.satchel_state WHERE name = 'normal_after'"},
      keep_place_{database,
                  "INSERT INTO main.satchel_state(name, value) VALUES ('normal_after', ?1)"
                  " ON CONFLICT(name) DO UPDATE SET value = excluded.value"} {}

void Victims::begin() noexcept {
  after_ = 0;
  after_of_ = {};
  left_ = 0;
  from_first_ = false;
}

std::optional<Victim> Victims::next(const Shortage& shortage, Priority for_whom) {
  if (shortage.of) return oldest_of(*shortage.of);
  if (when_full_ == WhenFull::drop_oldest) return first(by_row_, after_);
  for (const Priority lowest : {Priority::bulk, Priority::normal, Priority::urgent}) {
    if (auto victim = oldest_of(lowest)) return victim;
    if (lowest == for_whom) break;
  }
  return std::nullopt;
}

void Victims::leave(const Victim& victim) noexcept {
  if (victim.priority == Priority::normal) ++left_;
}

std::optional<Victim> Victims::oldest_of(Priority priority) {
  if (priority == Priority::normal) return oldest_normal();
  by_priority_.bind(2, code_of(priority));
  return first(by_priority_, after_of_[static_cast<std::size_t>(priority)]);
}

std::optional<Victim> Victims::oldest_normal() {
  // Otherwise all rows behind would be looked at for nothing.
  if (normal_messages() <= left_) return std::nullopt;
  std::int64_t& after = after_of_[static_cast<std::size_t>(Priority::normal)];
  if (after == 0) after = place();
  std::int64_t from = after;
  std::optional<Victim> found = first(normal_, after);
  if (!found && !from_first_) {
    from_first_ = true;
    left_ = 0;
    from = after = 0;
    keep_place_.bind(1, std::int64_t{0}).run();
    found = first(normal_, after);
  }
  if (found && found->row - from > kPassed) keep_place_.bind(1, found->row - 1).run();
  return found;
}

std::optional<Victim> Victims::first(Statement& rows, std::int64_t& after) {
  Use use{rows};
  if (!use->bind(1, after).step()) return std::nullopt;
  after = use->integer(0);
  return Victim{after, std::string{use->text(1)}, priority_of(use->optional_integer(2)),
                use->optional_integer(3)};
}

std::int64_t Victims::normal_messages() {
  Use count{normal_messages_};
  return count->step() ? count->integer(0) : 0;
}

std::int64_t Victims::place() {
  Use place{place_};
  return place->step() ? place->integer(0) : 0;
}

}  // namespace satchel::store
