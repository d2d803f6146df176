// SPDX-License-Identifier: MIT
//
// What a library of schema version 1 does to a file: its statements, word for word, and nothing of today's
// code. Not to be changed when the library changes: the firmware in the other A/B slot does not change
// either.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace version_1 {

inline constexpr std::int64_t kVersion = 1;

inline constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS satchel_state(
  name TEXT PRIMARY KEY,
  value ANY
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS satchel_message(
  id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4503599627370495),
  topic TEXT NOT NULL,
  payload ANY,
  key TEXT,
  content_type TEXT,
  headers TEXT,
  priority INTEGER,
  boot INTEGER,
  created INTEGER,
  delay INTEGER,
  ttl INTEGER,
  CHECK (CASE WHEN topic = ''
    THEN payload IS NULL
      AND coalesce(key, content_type, headers, priority, boot, created, delay, ttl) IS NULL
    ELSE typeof(payload) IN ('text', 'blob') END)
) STRICT;

CREATE INDEX IF NOT EXISTS satchel_message_by_key ON satchel_message(key, id) WHERE key IS NOT NULL;

-- Row ids restart below the greatest living row; the tombstone keeps the id of the newest row from being used again.
CREATE TRIGGER IF NOT EXISTS satchel_message_tombstone AFTER DELETE ON satchel_message
WHEN NOT EXISTS (SELECT 1 FROM satchel_message WHERE id > OLD.id)
BEGIN
  INSERT INTO satchel_message(id, topic) VALUES (OLD.id, '');
END;

CREATE TABLE IF NOT EXISTS satchel_attempt(
  id INTEGER PRIMARY KEY,
  attempts INTEGER NOT NULL,
  suspect INTEGER NOT NULL,
  boot INTEGER,
  due INTEGER,
  aged INTEGER NOT NULL,
  first_error TEXT,
  last_error TEXT,
  first_boot INTEGER,
  first_at INTEGER,
  last_at INTEGER
) STRICT;

CREATE TABLE IF NOT EXISTS satchel_dead(
  id INTEGER PRIMARY KEY,
  identity BLOB NOT NULL,
  topic TEXT NOT NULL,
  payload ANY,
  key TEXT,
  content_type TEXT,
  headers TEXT,
  priority INTEGER,
  boot INTEGER,
  created INTEGER,
  delay INTEGER,
  ttl INTEGER,
  reason INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  first_error TEXT,
  last_error TEXT,
  died_boot INTEGER,
  died INTEGER
) STRICT;

CREATE TABLE IF NOT EXISTS satchel_counter(
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS satchel_boot(
  boot INTEGER PRIMARY KEY,
  boot_id TEXT NOT NULL UNIQUE,
  wall_offset INTEGER
) STRICT;

CREATE TABLE IF NOT EXISTS satchel_identity(
  first_id INTEGER PRIMARY KEY,
  identity BLOB NOT NULL CHECK (length(identity) = 16),
  machine INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

INSERT INTO satchel_state(name, value) VALUES
  ('schema', 0), ('schema_compatible', 0), ('epoch', 0), ('relaxed_writers', 0), ('replayed', 0), ('frames', 0),
  ('origin', randomblob(16))
  ON CONFLICT(name) DO NOTHING;
)sql";

inline constexpr const char* kInsert =
    "INSERT INTO main.satchel_message(topic, payload, key, content_type, headers, boot, created, ttl)"
    " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE true";

inline constexpr const char* kClaim =
    "SELECT m.id, m.topic, m.payload, m.key, m.content_type, m.headers, m.boot, m.created, m.ttl"
    ", a.attempts, a.suspect, a.boot, a.due, a.aged FROM satchel_message m NOT INDEXED"
    " LEFT JOIN satchel_attempt a ON a.id = m.id WHERE m.id > ?1 ORDER BY m.id";

inline constexpr const char* kClaimKey =
    "SELECT m.id, m.topic, m.payload, m.key, m.content_type, m.headers, m.boot, m.created, m.ttl"
    " FROM satchel_message m INDEXED BY satchel_message_by_key WHERE m.key = ?2 AND m.id > ?1 ORDER BY m.id";

inline constexpr const char* kRemove =
    "DELETE FROM satchel_message WHERE id BETWEEN ?1 AND ?2 AND topic <> ''";

inline constexpr const char* kSweep =
    "DELETE FROM satchel_message WHERE id = ?1 AND topic = ''"
    " AND EXISTS (SELECT 1 FROM satchel_message WHERE id > ?1)";

inline constexpr const char* kRemoveAttempts = "DELETE FROM satchel_attempt WHERE id BETWEEN ?1 AND ?2";

inline constexpr const char* kFail =
    "INSERT INTO satchel_attempt(id, attempts, suspect, boot, due, aged, first_error, last_error, first_boot,"
    " first_at, last_at)"
    " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?4, ?8, ?8"
    " WHERE EXISTS (SELECT 1 FROM satchel_message WHERE id = ?1 AND topic <> '')"
    " ON CONFLICT(id) DO UPDATE SET attempts = excluded.attempts, suspect = excluded.suspect,"
    " boot = excluded.boot, due = excluded.due, aged = excluded.aged,"
    " first_error = coalesce(first_error, excluded.first_error),"
    " last_error = coalesce(excluded.last_error, last_error), last_at = excluded.last_at";

inline constexpr const char* kBury =
    "INSERT OR IGNORE INTO satchel_dead(id, identity, topic, payload, key, content_type, headers, priority,"
    " boot, created, delay, ttl, reason, attempts, first_error, last_error, died_boot, died)"
    " SELECT m.id, ?2, m.topic, m.payload, m.key, m.content_type, m.headers, m.priority, m.boot, m.created,"
    " m.delay, m.ttl, ?3, ?4, coalesce(a.first_error, ?5), coalesce(?5, a.last_error), ?6, ?7"
    " FROM satchel_message m LEFT JOIN satchel_attempt a ON a.id = m.id WHERE m.id = ?1 AND m.topic <> ''";

inline constexpr const char* kTurn =
    "UPDATE satchel_message SET (topic, payload, key, content_type, headers, priority, boot, created, delay,"
    " ttl) = (SELECT topic, payload, key, content_type, headers, priority, boot, created, delay, ttl"
    "  FROM satchel_dead WHERE id = ?1) WHERE id = ?1 AND topic = ''";

inline constexpr const char* kReturn =
    "INSERT INTO satchel_message(id, topic, payload, key, content_type, headers, priority, boot, created,"
    " delay, ttl) SELECT id, topic, payload, key, content_type, headers, priority, boot, created, delay, ttl"
    " FROM satchel_dead WHERE id = ?1";

inline constexpr const char* kCount =
    "INSERT INTO satchel_counter(name, value) VALUES (?1, ?2)"
    " ON CONFLICT(name) DO UPDATE SET value = value + excluded.value";

inline constexpr const char* kPrune =
    "DELETE FROM satchel_identity WHERE first_id < (SELECT max(first_id) FROM satchel_identity)"
    " AND NOT EXISTS (SELECT 1 FROM satchel_message WHERE id >= satchel_identity.first_id AND id <"
    "  (SELECT min(n.first_id) FROM satchel_identity n WHERE n.first_id > satchel_identity.first_id))"
    " AND NOT EXISTS (SELECT 1 FROM satchel_dead WHERE id >= satchel_identity.first_id AND id <"
    "  (SELECT min(n.first_id) FROM satchel_identity n WHERE n.first_id > satchel_identity.first_id))";

struct Row {
  std::int64_t id;
  std::string topic;
  std::string payload;
};

/// Opens a file as that library did: makes the tables of a new one, refuses one that needs a newer library,
/// leaves a newer one that does not as it is.
class Library {
 public:
  explicit Library(const std::string& path)
      : database_{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 1000} {
    database_.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL");
    SQLite::Transaction opening{database_, SQLite::TransactionBehavior::IMMEDIATE};
    if (!database_.tableExists("satchel_state")) create();
    if (state("schema_compatible") > kVersion) throw std::runtime_error{"the schema is too new"};
    SQLite::Statement boot{database_, "INSERT INTO satchel_boot(boot_id) VALUES (?)"};
    boot.bind(1, "boot-of-version-1-" + std::to_string(state("epoch")));
    boot.exec();
    boot_ = database_.getLastInsertRowid();
    database_.exec("UPDATE satchel_state SET value = value + 1 WHERE name = 'epoch'");
    opening.commit();
  }

  std::int64_t state(const std::string& name) {
    SQLite::Statement found{database_, "SELECT value FROM satchel_state WHERE name = ?"};
    found.bind(1, name);
    if (!found.executeStep()) throw std::runtime_error{"no state " + name};
    return found.getColumn(0).getInt64();
  }

  std::int64_t enqueue(const std::string& topic, const std::string& payload, const std::string& key = {}) {
    SQLite::Statement insert{database_, kInsert};
    insert.bind(1, topic);
    insert.bind(2, payload.data(), static_cast<int>(payload.size()));
    if (!key.empty()) insert.bind(3, key);
    insert.bind(6, boot_);
    insert.bind(7, std::int64_t{1000});
    insert.exec();
    return database_.getLastInsertRowid();
  }

  std::vector<Row> claim() {
    SQLite::Statement rows{database_, kClaim};
    rows.bind(1, std::int64_t{0});
    return read(rows);
  }
  std::vector<Row> claim_key(const std::string& key) {
    SQLite::Statement rows{database_, kClaimKey};
    rows.bind(1, std::int64_t{0});
    rows.bind(2, key);
    return read(rows);
  }

  /// Settles as delivered.
  void deliver(std::int64_t id) {
    SQLite::Transaction settling{database_, SQLite::TransactionBehavior::IMMEDIATE};
    remove(id);
    run(kSweep, id);
    settling.commit();
  }
  void fail(std::int64_t id, const std::string& error) {
    SQLite::Statement fail{database_, kFail};
    fail.bind(1, id);
    fail.bind(2, std::int64_t{1});
    fail.bind(3, std::int64_t{0});
    fail.bind(4, boot_);
    fail.bind(5, std::int64_t{0});
    fail.bind(6, std::int64_t{0});
    fail.bind(7, error);
    fail.bind(8, std::int64_t{2000});
    fail.exec();
  }
  void bury(std::int64_t id, const std::string& error) {
    SQLite::Transaction settling{database_, SQLite::TransactionBehavior::IMMEDIATE};
    const std::string identity = identity_of(id);
    SQLite::Statement bury{database_, kBury};
    bury.bind(1, id);
    bury.bind(2, identity.data(), static_cast<int>(identity.size()));
    bury.bind(3, std::int64_t{1});
    bury.bind(4, std::int64_t{1});
    bury.bind(5, error);
    bury.bind(6, boot_);
    bury.bind(7, std::int64_t{3000});
    bury.exec();
    remove(id);
    SQLite::Statement count{database_, kCount};
    count.bind(1, "dead:rejected");
    count.bind(2, std::int64_t{1});
    count.exec();
    settling.commit();
  }
  void replay(std::int64_t id) {
    SQLite::Transaction writing{database_, SQLite::TransactionBehavior::IMMEDIATE};
    if (run(kTurn, id) == 0) run(kReturn, id);
    run("DELETE FROM satchel_dead WHERE id = ?1", id);
    database_.exec("UPDATE satchel_state SET value = value + 1 WHERE name = 'replayed'");
    database_.exec(kPrune);
    writing.commit();
  }

  SQLite::Database& database() noexcept { return database_; }

 private:
  void create() {
    database_.exec(kSchema);
    database_.exec(
        "UPDATE satchel_state SET value = 1 WHERE name IN ('schema', 'schema_compatible');"
        "INSERT OR REPLACE INTO satchel_identity(first_id, identity, machine, reason)"
        " VALUES (1, randomblob(16), 1, 'created')");
  }
  std::string identity_of(std::int64_t id) {
    SQLite::Statement found{database_,
                            "SELECT identity FROM main.satchel_identity WHERE first_id <= ? ORDER BY first_id"
                            " DESC LIMIT 1"};
    found.bind(1, id);
    if (!found.executeStep()) throw std::runtime_error{"no identity"};
    return found.getColumn(0).getString();
  }
  void remove(std::int64_t id) {
    SQLite::Statement remove{database_, kRemove};
    remove.bind(1, id);
    remove.bind(2, id);
    remove.exec();
    SQLite::Statement attempts{database_, kRemoveAttempts};
    attempts.bind(1, id);
    attempts.bind(2, id);
    attempts.exec();
  }
  int run(const char* sql, std::int64_t id) {
    SQLite::Statement statement{database_, sql};
    statement.bind(1, id);
    return statement.exec();
  }
  /// The tombstone is no message.
  static std::vector<Row> read(SQLite::Statement& rows) {
    std::vector<Row> all;
    while (rows.executeStep()) {
      Row row{rows.getColumn(0).getInt64(), rows.getColumn(1).getString(), rows.getColumn(2).getString()};
      if (!row.topic.empty()) all.push_back(std::move(row));
    }
    return all;
  }

  SQLite::Database database_;
  std::int64_t boot_ = 0;
};

}  // namespace version_1
