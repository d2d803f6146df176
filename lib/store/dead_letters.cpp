// SPDX-License-Identifier: MIT
#include "store/errors.hpp"
#include "store/reader.hpp"
#include "store/settle.hpp"
#include "store/store.hpp"
#include "store/writer.hpp"

#include <string_view>

namespace satchel::store {
namespace {

/// Dead letters that one transaction of `replay_all` takes back: other writers get their turn in between.
constexpr std::int64_t kSlice = 500;

std::string_view bytes(const Identity& identity) {
  return {reinterpret_cast<const char*>(identity.data()), identity.size()};
}

/// Makes the row of a dead letter a message again. Inside the caller's transaction.
bool revive(SQLite::Database& database, std::int64_t row) {
  // The dead letter may have been the newest row: then its tombstone stands in its place and becomes the
  // message.
  const std::int64_t turned =
      Statement{database,
                "UPDATE satchel_message SET (topic, payload, key, content_type, headers, priority, boot, "
                "created, delay, ttl, retry, sequence) ="
                " (SELECT topic, payload, key, content_type, headers, priority, boot, created, delay, ttl, "
                "retry, sequence"
                "  FROM satchel_dead WHERE id = ?1) WHERE id = ?1 AND topic = ''"}
          .bind(1, row)
          .run_and_count();
  if (turned == 0) {
    Statement{database,
              "INSERT INTO satchel_message(id, topic, payload, key, content_type, headers, priority, boot, "
              "created, delay, ttl, retry, sequence)"
              " SELECT id, topic, payload, key, content_type, headers, priority, boot, created, delay, ttl, "
              "retry, sequence"
              " FROM satchel_dead WHERE id = ?1"}
        .bind(1, row)
        .run();
  }
  // The search for messages that make room has to come by again.
  Statement{database, "UPDATE satchel_state SET value = min(value, ?1 - 1) WHERE name = 'normal_after'"}
      .bind(1, row)
      .run();
  return Statement{database, "DELETE FROM satchel_dead WHERE id = ?1"}.bind(1, row).run_and_count() > 0;
}

void note_replay(SQLite::Database& database) {
  Statement{database, "UPDATE satchel_state SET value = value + 1 WHERE name = 'replayed'"}.run();
}

bool is_dead(SQLite::Database& database, const MessageId& id) {
  Statement found{database, "SELECT 1 FROM satchel_dead WHERE id = ?1 AND identity = ?2"};
  return found.bind(1, id.row).bind_blob(2, bytes(id.identity)).step();
}

}  // namespace

void Store::announce_replay() noexcept {
  if (RelaySide* side = side_.load()) side->replayed();
  announce();
}

bool Store::replay(const MessageId& id) {
  const std::unique_ptr<Writing> writing = begin();
  const bool found = in_our_terms("replay", [&] {
    SQLite::Database& database = writing->database();
    if (!is_dead(database, id)) return false;
    revive(database, id.row);
    note_replay(database);
    return true;
  });
  if (!found) return false;
  writing->commit();
  announce_replay();
  return true;
}

std::uint64_t Store::replay_slice(std::int64_t& after, std::int64_t until) {
  const std::unique_ptr<Writing> writing = begin();
  std::vector<std::int64_t> rows;
  in_our_terms("replay", [&] {
    SQLite::Database& database = writing->database();
    Statement dead{database, "SELECT id FROM satchel_dead WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3"};
    dead.bind(1, after).bind(2, until).bind(3, kSlice);
    while (dead.step()) rows.push_back(dead.integer(0));
    dead.reset();
    for (const std::int64_t row : rows) revive(database, row);
    if (!rows.empty()) note_replay(database);
  });
  if (rows.empty()) return 0;
  writing->commit();
  announce_replay();
  after = rows.back();
  return rows.size();
}

std::uint64_t Store::replay_all() {
  // Those that die again in the meantime stay dead.
  const std::int64_t until = newest_dead();
  std::int64_t after = 0;
  std::uint64_t replayed = 0;
  while (const std::uint64_t slice = replay_slice(after, until)) replayed += slice;
  return replayed;
}

bool Store::discard(const MessageId& id) {
  const std::unique_ptr<Writing> writing = begin();
  const bool found = in_our_terms("discard", [&] {
    SQLite::Database& database = writing->database();
    if (!is_dead(database, id)) return false;
    DroppedRow dropped{id.row, {}, std::nullopt, false};
    {
      Statement row{database, "SELECT topic, sequence FROM satchel_dead WHERE id = ?1"};
      if (row.bind(1, id.row).step()) {
        dropped.topic = row.text(0);
        dropped.sequence = row.optional_integer(1);
      }
    }
    Statement{database, "DELETE FROM satchel_dead WHERE id = ?1"}.bind(1, id.row).run();
    Settler{*writer_->connection}.count("discarded", 1);
    writing->dropped(DropReason::discarded, {dropped});
    // A key that it has blocked is free.
    note_replay(database);
    return true;
  });
  if (!found) return false;
  writing->commit();
  announce_replay();
  return true;
}

}  // namespace satchel::store
