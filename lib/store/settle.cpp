// SPDX-License-Identifier: MIT
#include "store/settle.hpp"

#include <algorithm>

namespace satchel::store {
namespace {

std::optional<std::int64_t> ms(const std::optional<BootTime>& time) {
  if (!time) return std::nullopt;
  return to_ms(*time);
}

}  // namespace

std::string shortened(const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

const char* counter_of(DeadReason reason) noexcept {
  switch (reason) {
    case DeadReason::rejected:
      return "dead:rejected";
    case DeadReason::attempts:
      return "dead:attempts";
    case DeadReason::age:
      return "dead:age";
    case DeadReason::crashed:
      return "dead:crashed";
    case DeadReason::damaged:
      return "dead:damaged";
  }
  return "dead:other";
}

Settler::Settler(Connection& connection)
    : connection_{connection},
      remover_{connection.database()},
      raise_epoch_{connection.database(),
                   "UPDATE satchel_state SET value = value + 1 WHERE name = 'epoch' RETURNING value"},
      expired_{connection.database(),
               "SELECT id, topic, sequence FROM satchel_message WHERE id BETWEEN ?1 AND ?2 AND topic <> ''"},
      fail_{connection.database(),
            "INSERT INTO satchel_attempt(id, attempts, suspect, boot, due, aged, first_error, last_error, "
            "first_boot,"
            " first_at, last_at)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?4, ?8, ?8"
            " WHERE EXISTS (SELECT 1 FROM satchel_message WHERE id = ?1 AND topic <> '')"
            " ON CONFLICT(id) DO UPDATE SET attempts = excluded.attempts, suspect = excluded.suspect,"
            " boot = excluded.boot, due = excluded.due, aged = excluded.aged,"
            " first_error = coalesce(first_error, excluded.first_error),"
            " last_error = coalesce(excluded.last_error, last_error), last_at = excluded.last_at"},
      bury_{connection.database(),
            "INSERT OR IGNORE INTO satchel_dead(id, identity, topic, payload, key, content_type, headers, "
            "priority, boot, created,"
            " delay, ttl, retry, sequence, reason, attempts, first_error, last_error, died_boot, died)"
            " SELECT m.id, ?2, m.topic, m.payload, m.key, m.content_type, m.headers, m.priority, m.boot, "
            "m.created,"
            " m.delay, m.ttl, m.retry, m.sequence, ?3, ?4, coalesce(a.first_error, ?5), coalesce(?5, "
            "a.last_error), ?6, ?7"
            " FROM satchel_message m LEFT JOIN satchel_attempt a ON a.id = m.id WHERE m.id = ?1 AND m.topic "
            "<> ''"},
      sweep_{connection.database(),
             "DELETE FROM satchel_message WHERE id = ?1 AND topic = ''"
             " AND EXISTS (SELECT 1 FROM satchel_message WHERE id > ?1)"},
      count_{connection.database(),
             "INSERT INTO satchel_counter(name, value) VALUES (?1, ?2)"
             " ON CONFLICT(name) DO UPDATE SET value = value + excluded.value"},
      pending_{connection.database(), "SELECT 1 FROM satchel_message WHERE id = ?1 AND topic <> ''"},
      change_note_{connection.database(), "UPDATE satchel_state SET value = ?2 WHERE name = 'note:' || ?1"},
      add_note_{connection.database(),
                "INSERT INTO satchel_state(name, value) SELECT 'note:' || ?1, ?2 WHERE"
                " (SELECT count(*) FROM satchel_state WHERE name >= 'note:' AND name < 'note;') < ?3"} {}

std::int64_t Settler::raise_epoch() {
  Use row{raise_epoch_};
  const std::int64_t raised = row->step() ? row->integer(0) : -1;
  // A RETURNING statement has done its work only when it was stepped to its end.
  while (row->step()) {
  }
  return raised;
}

std::int64_t Settler::delivered(const std::vector<std::int64_t>& rows) {
  return remover_.remove(runs_of(rows));
}

std::vector<DroppedRow> Settler::expired(const std::vector<std::int64_t>& rows) {
  std::vector<DroppedRow> found;
  const std::vector<Run> runs = runs_of(rows);
  for (const Run& run : runs) {
    Use use{expired_};
    use->bind(1, run.first).bind(2, run.last);
    while (use->step())
      found.push_back({use->integer(0), std::string{use->text(1)}, use->optional_integer(2), false});
  }
  count("expired", remover_.remove(runs));
  return found;
}

std::string Settler::text_of(const std::string& error) const {
  return without_texts_ ? std::string{} : shortened(error, kMaxErrorBytes);
}

void Settler::failed(const Failure& failure, const Present& present) {
  const std::string error = text_of(failure.error);
  Use use{fail_};
  use->bind(1, failure.row)
      .bind(2, static_cast<std::int64_t>(failure.attempts))
      .bind(3, static_cast<std::int64_t>(failure.suspect))
      .bind(4, present.boot)
      .bind(5, ms(failure.due))
      .bind(6, failure.aged.count())
      .bind_optional_text(7, error)
      .bind(8, present.now)
      .run();
}

bool Settler::died(const Death& death, const Identity& identity, const Present& present) {
  const std::string error = text_of(death.error);
  Use use{bury_};
  const std::int64_t buried =
      use->bind(1, death.row)
          .bind_blob(2, {reinterpret_cast<const char*>(identity.data()), identity.size()})
          .bind(3, static_cast<std::int64_t>(death.reason))
          .bind(4, static_cast<std::int64_t>(death.attempts))
          .bind_optional_text(5, error)
          .bind(6, present.boot)
          .bind(7, present.now)
          .run_and_count();
  remover_.remove({{death.row, death.row}});
  count(counter_of(death.reason), buried);
  return buried > 0;
}

void Settler::sweep(const std::vector<std::int64_t>& tombstones) {
  for (const std::int64_t row : tombstones) sweep_.bind(1, row).run();
}

void Settler::sweep_attempts() {
  Statement{connection_.database(),
            "DELETE FROM satchel_attempt WHERE NOT EXISTS"
            " (SELECT 1 FROM satchel_message m WHERE m.id = satchel_attempt.id AND m.topic <> '')"}
      .run();
}

void Settler::count(const char* name, std::int64_t by) {
  if (by <= 0) return;
  Use use{count_};
  use->bind_text(1, name).bind(2, by).run();
}

void Settler::note(const std::string& name, const std::string& value) {
  const Use change{change_note_};
  if (change_note_.bind_text(1, name).bind_text(2, value).run_and_count() > 0) return;
  const Use add{add_note_};
  add_note_.bind_text(1, name).bind_text(2, value).bind(3, kMostNotes).run();
}

std::map<std::string, std::string> Settler::notes() {
  std::map<std::string, std::string> found;
  Statement rows{connection_.database(),
                 "SELECT substr(name, 6), value FROM satchel_state WHERE name >= 'note:' AND name < 'note;'"};
  while (rows.step()) found.emplace(rows.text(0), rows.text(1));
  return found;
}

bool Settler::pending(std::int64_t row) {
  Use use{pending_};
  return use->bind(1, row).step();
}

}  // namespace satchel::store
