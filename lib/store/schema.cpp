// SPDX-License-Identifier: MIT
#include "store/schema.hpp"

#include "store/errors.hpp"
#include "store/statement.hpp"

#include <array>

namespace satchel::store {
namespace {

// topic comes first, so that telling a tombstone from a message never reads an overflow page.
constexpr const char* kVersion1 = R"sql(
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

constexpr std::array<AddedColumn, 4> kColumns2{{{"satchel_message", "retry", "TEXT"},
                                                {"satchel_message", "sequence", "INTEGER"},
                                                {"satchel_dead", "retry", "TEXT"},
                                                {"satchel_dead", "sequence", "INTEGER"}}};

// A message that uses none of the policies has an entry in none of the indexes. Within one boot the sum is
// the order in which messages become due.
constexpr const char* kVersion2 = R"sql(
CREATE INDEX IF NOT EXISTS satchel_message_by_priority ON satchel_message(priority, id)
  WHERE priority IS NOT NULL;

CREATE INDEX IF NOT EXISTS satchel_message_by_delay ON satchel_message(boot, created + delay)
  WHERE delay IS NOT NULL;

CREATE INDEX IF NOT EXISTS satchel_dead_by_key ON satchel_dead(key) WHERE key IS NOT NULL;

CREATE TABLE IF NOT EXISTS satchel_dropped(
  reason INTEGER NOT NULL,
  topic TEXT NOT NULL,
  messages INTEGER NOT NULL,
  unconfirmed INTEGER NOT NULL,
  PRIMARY KEY(reason, topic)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array<Migration, 2> kMigrations{{{1, kVersion1}, {2, kVersion2, kColumns2}}};
static_assert(kMigrations.back().version == kSchemaVersion);

constexpr std::array<const char*, 7> kAllColumns{
    "SELECT id, topic, payload, key, content_type, headers, priority, boot, created, delay, ttl, retry, "
    "sequence FROM satchel_message",
    "SELECT id, attempts, suspect, boot, due, aged, first_error, last_error, first_boot, first_at, last_at "
    "FROM satchel_attempt",
    "SELECT id, identity, topic, payload, key, content_type, headers, priority, boot, created, delay, ttl, "
    "retry, sequence, reason, attempts, first_error, last_error, died_boot, died FROM satchel_dead",
    "SELECT name, value FROM satchel_counter",
    "SELECT boot, boot_id, wall_offset FROM satchel_boot",
    "SELECT first_id, identity, machine, reason FROM satchel_identity",
    "SELECT reason, topic, messages, unconfirmed FROM satchel_dropped"};

bool has_column(SQLite::Database& database, const AddedColumn& column) {
  Statement found{database, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2"};
  return found.bind_text(1, column.table).bind_text(2, column.column).step();
}

void add(SQLite::Database& database, const AddedColumn& column) {
  try {
    database.exec(std::string{"ALTER TABLE "} + column.table + " ADD COLUMN " + column.column + " " +
                  column.type);
  } catch (const SQLite::Exception& failure) {
    // Newer versions of SQLite look at all rows of a strict table then, and have no code of its own for one
    // that breaks its rules.
    const int code = failure.getErrorCode() & 0xff;
    if (code != SQLITE_ERROR && code != SQLITE_CONSTRAINT) throw;
    throw SQLite::Exception{std::string{"a row of "} + column.table + " breaks its rules: " + failure.what(),
                            SQLITE_CORRUPT};
  }
}

}  // namespace

void apply(SQLite::Database& database, const Migration& step) {
  for (const AddedColumn& column : step.columns) {
    if (!has_column(database, column)) add(database, column);
  }
  database.exec(step.sql);
}

std::span<const Migration> migrations() noexcept { return kMigrations; }

std::optional<SchemaVersion> read_schema_version(SQLite::Database& database) {
  Statement table{database, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'satchel_state'"};
  if (!table.step()) return std::nullopt;
  table.reset();
  SchemaVersion found;
  Statement state{database,
                  "SELECT name, value FROM satchel_state WHERE name IN ('schema', 'schema_compatible')"};
  while (state.step()) {
    (state.text(0) == "schema" ? found.version : found.compatible) = state.integer(1);
  }
  return found;
}

void require_columns(const SQLite::Database& database) {
  for (const char* columns : kAllColumns) Statement{database, columns}.prepare();
}

std::string schema_damage(SQLite::Database& database) {
  std::optional<SchemaVersion> found;
  try {
    found = read_schema_version(database);
  } catch (const SQLite::Exception& failure) {
    if (primary(code_of(failure)) != SQLITE_ERROR) throw;
    return "the definition of satchel_state is damaged";
  }
  if (!found || found->version > kSchemaVersion) return {};
  SQLite::Database sound{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  for (const Migration& step : kMigrations) {
    if (step.version <= found->version) apply(sound, step);
  }
  Statement expected{sound, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"};
  while (expected.step()) {
    Statement real{database, "SELECT sql FROM sqlite_schema WHERE name = ?1"};
    real.bind_text(1, expected.text(0));
    if (!real.step()) return std::string{expected.text(0)} + " is missing";
    if (real.text(0) != expected.text(1))
      return "the definition of " + std::string{expected.text(0)} + " is damaged";
  }
  return {};
}

void migrate(SQLite::Database& database, std::span<const Migration> steps, std::int64_t compatible) {
  const std::int64_t from = read_schema_version(database).value_or(SchemaVersion{}).version;
  if (steps.empty() || from >= steps.back().version) return;
  for (const Migration& step : steps) {
    if (step.version > from) apply(database, step);
  }
  Statement{database, "UPDATE satchel_state SET value = ?1 WHERE name = 'schema'"}
      .bind(1, steps.back().version)
      .run();
  Statement{database, "UPDATE satchel_state SET value = ?1 WHERE name = 'schema_compatible'"}
      .bind(1, compatible)
      .run();
}

}  // namespace satchel::store
