// SPDX-License-Identifier: MIT
#include "store/delays.hpp"

#include "store/priorities.hpp"

#include <SQLiteCpp/Exception.h>

#include <algorithm>
#include <limits>
#include <string>

namespace satchel::store {
namespace {

/// Boots that one look goes through. A file that holds delayed messages of more was never on for long.
constexpr int kMostBoots = 1000;

constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

constexpr const char* kHead =
    "SELECT boot, created, delay FROM satchel_message INDEXED BY satchel_message_by_delay"
    " WHERE delay IS NOT NULL AND boot >= ?1 ORDER BY boot, created + delay LIMIT 1";

/// Lets a row be changed that breaks the table's checks (damage, another program): otherwise it would be due
/// for ever, and nothing else released. It is read like any other afterwards, and becomes a dead letter.
Connection& without_checks(Connection& connection) {
  connection.database().exec("PRAGMA ignore_check_constraints = 1");
  return connection;
}

/// An entry of the index that leads nowhere would be found due for ever.
void expect_change(std::int64_t rows) {
  if (rows == 0)
    throw SQLite::Exception{"the index of satchel_message by delay names a row that is not there",
                            SQLITE_CORRUPT};
}

}  // namespace

const char* Delays::head_sql() noexcept { return kHead; }

Delays::Delays(Connection& connection)
    : connection_{without_checks(connection)},
      undated_{connection.database(),
               "SELECT 1 FROM satchel_message INDEXED BY satchel_message_by_delay"
               " WHERE delay IS NOT NULL AND boot IS NULL LIMIT 1"},
      head_{connection.database(), kHead},
      of_boot_{connection.database(),
               "SELECT id, topic, key, priority, created, delay"
               " FROM satchel_message INDEXED BY satchel_message_by_delay"
               " WHERE delay IS NOT NULL AND boot = ?1 ORDER BY created + delay"},
      date_undated_{
          connection.database(),
          "UPDATE satchel_message SET boot = ?1, created = ?2 WHERE id IN"
          " (SELECT id FROM satchel_message INDEXED BY satchel_message_by_delay"
          "  WHERE delay IS NOT NULL AND boot IS NULL LIMIT ?3) AND delay IS NOT NULL AND boot IS NULL"},
      date_{connection.database(),
            "UPDATE satchel_message SET boot = ?1, created = ?2"
            " WHERE id = ?3 AND delay IS NOT NULL AND created IS NULL"},
      release_{connection.database(),
               "UPDATE satchel_message SET delay = NULL WHERE id = ?1 AND delay IS NOT NULL"} {}

std::optional<Delays::Head> Delays::next_head(std::int64_t from_boot) {
  Use row{head_};
  row->bind(1, from_boot);
  if (!row->step()) return std::nullopt;
  return Head{row->integer(0), row->optional_integer(1), row->integer(2)};
}

std::int64_t Delays::left(const Head& head, const Present& present) {
  // It waits for its time to begin.
  if (!head.created) return 0;
  Moment born{head.boot, head.created, std::nullopt};
  born.wall_offset =
      head.boot == present.boot ? present.wall_offset : offsets_.of(connection_.database(), head.boot);
  return subtract(head.delay, age_of(born, present).value_or(0));
}

bool Delays::any_undated() {
  Use row{undated_};
  return row->step();
}

Delays::Found Delays::look(const Present& present) {
  Found found;
  offsets_.begin();
  found.due = any_undated();
  std::int64_t boot = kFirst;
  for (int boots = 0; boots < kMostBoots; ++boots) {
    const std::optional<Head> head = next_head(boot);
    if (!head) return found;
    const std::int64_t wait = left(*head, present);
    found.by_wall = found.by_wall || head->boot != present.boot;
    if (wait <= 0) {
      found.due = true;
    } else {
      const BootTime then = from_ms(add(present.now, wait));
      found.next = std::min(found.next.value_or(then), then);
    }
    if (head->boot == kLast) return found;
    boot = head->boot + 1;
  }
  return found;
}

std::vector<Released::Row> Delays::release(std::size_t max_count, const Present& present) {
  std::vector<Released::Row> released;
  offsets_.begin();
  const auto limit = static_cast<std::int64_t>(std::min<std::size_t>(max_count, 1'000'000));
  if (any_undated())
    expect_change(date_undated_.bind(1, present.boot).bind(2, present.now).bind(3, limit).run_and_count());
  std::int64_t boot = kFirst;
  for (int boots = 0; boots < kMostBoots && released.size() < max_count; ++boots) {
    const std::optional<Head> head = next_head(boot);
    if (!head) break;
    if (left(*head, present) <= 0) release_boot(head->boot, max_count, present, released);
    if (head->boot == kLast) break;
    boot = head->boot + 1;
  }
  return released;
}

void Delays::release_boot(std::int64_t boot, std::size_t max_count, const Present& present,
                          std::vector<Released::Row>& released) {
  std::vector<std::int64_t> undated;
  const std::size_t first = released.size();
  {
    Use rows{of_boot_};
    rows->bind(1, boot);
    while (released.size() + undated.size() < max_count && rows->step()) {
      if (left({boot, rows->optional_integer(4), rows->integer(5)}, present) > 0) break;
      if (rows->is_null(4)) {
        undated.push_back(rows->integer(0));
        continue;
      }
      released.push_back({rows->integer(0), std::string{rows->text(1)}, std::string{rows->text(2)},
                          priority_of(rows->optional_integer(3))});
    }
  }
  for (const std::int64_t row : undated)
    expect_change(date_.bind(1, present.boot).bind(2, present.now).bind(3, row).run_and_count());
  for (std::size_t i = first; i < released.size(); ++i)
    expect_change(release_.bind(1, released[i].row).run_and_count());
}

}  // namespace satchel::store
