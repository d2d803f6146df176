// SPDX-License-Identifier: MIT
#include "store/schema.hpp"
#include "fixture.hpp"
#include "support/fault_vfs.hpp"

#include <satchel/error.hpp>
#include <satchel/inspect.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <array>
#include <fstream>
#include <string>
#include <vector>

using namespace store_test;
namespace store = satchel::store;

namespace {

constexpr const char* kOldInsert =
    "INSERT INTO satchel_message(topic, payload, key, content_type, headers, boot, created, ttl)"
    " VALUES ('a/b', CAST('payload' AS BLOB), NULL, NULL, NULL, 1, 1000, NULL)";

/// A file as the first version of the format made it.
void make_version_1(const std::string& path) {
  SQLite::Database database{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  database.exec("PRAGMA journal_mode = WAL");
  SQLite::Transaction transaction{database};
  store::migrate(database, store::migrations().first(1), 1);
  transaction.commit();
}

std::int64_t columns(Foreign& foreign, const std::string& table) {
  return foreign.number("SELECT count(*) FROM pragma_table_info('" + table +
                        "') WHERE name IN ('retry', 'sequence')");
}

/// Bytes that so many plain messages cost, each in a commit of its own, removed a hundred at a time.
std::uint64_t bytes_of_plain_messages(std::size_t steps) {
  const File file;
  support::FaultVfs faults;
  SQLite::Database database{file.path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 0, faults.name()};
  database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -512");
  store::migrate(database, store::migrations().first(steps), 1);
  const auto written = [&] {
    return faults.traffic(support::FileKind::log).bytes_written +
           faults.traffic(support::FileKind::database).bytes_written;
  };
  const std::uint64_t before = written();
  for (int round = 1; round <= 10; ++round) {
    for (int i = 0; i < 100; ++i) database.exec(kOldInsert);
    database.exec("DELETE FROM satchel_message WHERE id <= " + std::to_string(round * 100) +
                  " AND topic <> ''");
  }
  return written() - before;
}

}  // namespace

TEST_CASE("schema: a file of version 1 is brought up to date with its rows") {
  const File file;
  make_version_1(file.path);
  {
    Foreign old{file.path};
    old.exec(kOldInsert);
    old.exec("INSERT INTO satchel_message(topic, payload, key) VALUES ('c', 'keyed', 'k')");
    old.exec(
        "INSERT INTO satchel_dead(id, identity, topic, payload, key, reason, attempts) VALUES (1000, "
        "zeroblob(16), 'd', 'dead', 'k', 1, 3)");
    REQUIRE(columns(old, "satchel_message") == 0);
  }
  const auto store = file.open();
  CHECK(pending(*store) == std::vector<std::int64_t>{1, 2});
  CHECK(store->claim({}).messages.back().payload == "keyed");
  REQUIRE(store->dead_letters(10, 0).size() == 1);
  CHECK(store->dead_letters(10, 0).front().attempts == 3);
  Foreign foreign{file.path};
  CHECK(columns(foreign, "satchel_message") == 2);
  CHECK(columns(foreign, "satchel_dead") == 2);
  CHECK(foreign.number("SELECT value FROM satchel_state WHERE name = 'schema'") == 2);
  CHECK(foreign.number("SELECT value FROM satchel_state WHERE name = 'schema_compatible'") == 1);
  CHECK(store::schema_damage(foreign.database).empty());
}

TEST_CASE("schema: a migrated file has the same definitions as a new one") {
  const File old;
  make_version_1(old.path);
  old.open();
  const File fresh;
  fresh.open();
  const char* all =
      "SELECT group_concat(name || sql, '|') FROM (SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL "
      "ORDER BY name)";
  CHECK(Foreign{old.path}.text(all) == Foreign{fresh.path}.text(all));
}

TEST_CASE("schema: another name of any column is met without reading a row") {
  SQLite::Database database{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  store::migrate(database, store::migrations(), 1);
  CHECK_NOTHROW(store::require_columns(database));
  // What opening reads in any case is not among them.
  store::Statement columns{database,
                           "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
                           " WHERE m.type = 'table' AND m.name <> 'satchel_state'"};
  std::vector<std::string> renamed;
  while (columns.step()) {
    renamed.push_back("ALTER TABLE " + std::string{columns.text(0)} + " RENAME COLUMN \"" +
                      std::string{columns.text(1)} + "\" TO other");
  }
  REQUIRE(renamed.size() > 50);
  for (const std::string& change : renamed) {
    CAPTURE(change);
    database.exec("BEGIN");
    database.exec(change);
    CHECK_THROWS_AS(store::require_columns(database), SQLite::Exception);
    database.exec("ROLLBACK");
  }
}

TEST_CASE("schema: a migration that was cut short goes on where it stopped") {
  const File file;
  make_version_1(file.path);
  Foreign{file.path}.exec(
      "ALTER TABLE satchel_message ADD COLUMN retry TEXT;"
      "CREATE TABLE satchel_dropped(reason INTEGER NOT NULL, topic TEXT NOT NULL, messages INTEGER NOT NULL,"
      " unconfirmed INTEGER NOT NULL, PRIMARY KEY(reason, topic)) STRICT, WITHOUT ROWID");
  file.open();
  Foreign foreign{file.path};
  CHECK(columns(foreign, "satchel_message") == 2);
  CHECK(columns(foreign, "satchel_dead") == 2);
}

TEST_CASE("schema: the statements of version 1 work on a file of version 2") {
  const File file;
  const auto store = file.open();
  Foreign old{file.path};
  old.exec(kOldInsert);
  old.exec(kOldInsert);
  CHECK(old.number("SELECT m.id FROM satchel_message m NOT INDEXED WHERE m.id > 0 ORDER BY m.id") == 1);
  old.exec(
      "INSERT OR IGNORE INTO satchel_dead(id, identity, topic, payload, key, content_type, headers, priority,"
      " boot, created, delay, ttl, reason, attempts, first_error, last_error, died_boot, died)"
      " SELECT m.id, zeroblob(16), m.topic, m.payload, m.key, m.content_type, m.headers, m.priority, m.boot,"
      " m.created, m.delay, m.ttl, 1, 1, 'no', 'no', 1, 1 FROM satchel_message m WHERE m.id = 1");
  old.exec("DELETE FROM satchel_message WHERE id BETWEEN 1 AND 1 AND topic <> ''");
  CHECK(pending(*store) == std::vector<std::int64_t>{2});
  CHECK(store->dead_letters(10, 0).size() == 1);
  old.exec("DELETE FROM satchel_message WHERE id BETWEEN 2 AND 2 AND topic <> ''");
  CHECK(old.number("SELECT id FROM satchel_message WHERE topic = ''") == 2);
}

TEST_CASE("schema: a plain message costs as many bytes as in version 1") {
  const std::uint64_t before = bytes_of_plain_messages(1);
  const std::uint64_t now = bytes_of_plain_messages(store::migrations().size());
  CAPTURE(before);
  CAPTURE(now);
  REQUIRE(before > 0);
  // The record has two bytes more, which show where a page is full.
  CHECK(static_cast<double>(now) <= static_cast<double>(before) * 1.005);
}

TEST_CASE("schema: a table to which no column can be added is taken for damaged") {
  const File file;
  make_version_1(file.path);
  SQLite::Database database{file.path, SQLite::OPEN_READWRITE};
  // Newer versions of SQLite look at the rows when a strict table gets a column; a type that it does not take
  // stands for what they may find.
  const std::array<store::AddedColumn, 1> wrong{{{"satchel_message", "extra", "NO_SUCH_TYPE"}}};
  const auto error = error_of<SQLite::Exception>([&] { store::apply(database, {9, "", wrong}); });
  CHECK(error.getErrorCode() == SQLITE_CORRUPT);
}

TEST_CASE("schema: a damaged file of version 1 is salvaged with its rows") {
  File file;
  make_version_1(file.path);
  {
    Foreign old{file.path};
    for (int i = 0; i < 500; ++i) old.exec(kOldInsert);
    old.exec(
        "INSERT INTO satchel_dead(id, identity, topic, payload, reason, attempts) VALUES (7, zeroblob(16), "
        "'d', 'dead', 1, 3)");
    old.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  REQUIRE(in_child([&] {
            std::fstream damaged{file.path, std::ios::in | std::ios::out | std::ios::binary};
            damaged.seekp(-4096, std::ios::end);
            damaged << std::string(4096, '\xff');
            return damaged.good() ? 0 : 1;
          }) == 0);
  file.options.check_at_open = true;
  const auto store = file.open();
  REQUIRE(store->salvaged().has_value());
  CHECK(store->salvaged()->pending > 400);
  CHECK(store->salvaged()->pending < 500);
  CHECK(store->dead_letters(10, 0).size() == 1);
  Foreign foreign{file.path};
  CHECK(columns(foreign, "satchel_message") == 2);
  CHECK(store::schema_damage(foreign.database).empty());
}

TEST_CASE("schema: a look at a file of version 1 needs nothing of what came later") {
  const File file;
  make_version_1(file.path);
  {
    Foreign old{file.path};
    old.exec(kOldInsert);
    old.exec(
        "INSERT INTO satchel_dead(id, identity, topic, payload, reason, attempts) VALUES (7, zeroblob(16), "
        "'d', 'dead', 1, 3)");
  }
  satchel::Inspector inspector{file.path};
  const satchel::FileReport report = inspector.report();
  CHECK(report.schema == 1);
  CHECK(report.pending == 1);
  CHECK(report.dead == 1);
  CHECK(report.urgent + report.bulk + report.delayed == 0);
  CHECK(report.dropped.empty());
  REQUIRE(inspector.messages().size() == 1);
  CHECK(inspector.messages().front().message.payload == "payload");
  REQUIRE(inspector.dead_letter(7));
  CHECK(inspector.dead_letter(7)->message.payload == "dead");
  Foreign foreign{file.path};
  CHECK(columns(foreign, "satchel_message") == 0);
}
