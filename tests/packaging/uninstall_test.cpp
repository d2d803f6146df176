// SPDX-License-Identifier: MIT
#include "packaging/version_1.hpp"
#include "store/schema.hpp"
#include "support/temp_dir.hpp"

#include <satchel/outbox.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

namespace {

std::string script() {
  std::ifstream file{UNINSTALL_SQL};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// All definitions and, of tables, how many rows there are, in order: equal means that nothing differs.
std::vector<std::string> contents(SQLite::Database& database) {
  std::vector<std::string> all;
  SQLite::Statement rows{database,
                         "SELECT type || ' ' || name || ' ' || coalesce(sql, ''), name FROM sqlite_schema"
                         " ORDER BY type, name"};
  while (rows.executeStep()) {
    std::string line = rows.getColumn(0).getString();
    if (line.starts_with("table")) {
      const std::string count = "SELECT count(*) FROM \"" + rows.getColumn(1).getString() + '"';
      line += ' ' + std::to_string(database.execAndGet(count).getInt64());
    }
    all.push_back(std::move(line));
  }
  return all;
}

/// An application's own tables, with names that come close.
void make_application(SQLite::Database& database) {
  database.exec(
      "PRAGMA user_version = 17; PRAGMA application_id = 42;"
      "CREATE TABLE reading(id INTEGER PRIMARY KEY AUTOINCREMENT, celsius REAL);"
      "INSERT INTO reading(celsius) VALUES (71.5), (72);"
      "CREATE TABLE satchel(id INTEGER PRIMARY KEY, colour TEXT UNIQUE);"
      "INSERT INTO satchel(colour) VALUES ('brown');"
      "CREATE TABLE satchel_of_the_postman(id INTEGER PRIMARY KEY);"
      "CREATE TABLE my_satchel_message(id INTEGER PRIMARY KEY);"
      "CREATE INDEX satchel_by_colour ON satchel(colour);"
      "CREATE VIEW warm AS SELECT * FROM reading WHERE celsius > 20;"
      "CREATE TRIGGER satchel_trigger AFTER INSERT ON reading BEGIN"
      "  INSERT INTO my_satchel_message(id) VALUES (NEW.id); END");
}

struct Device {
  support::TempDir directory{support::TempDir::Where::memory};
  std::string path = directory.path() + "/device.db";
  SQLite::Database database{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 1000};
};

}  // namespace

TEST_CASE("uninstall: takes away what satchel has made and leaves everything else") {
  Device device;
  make_application(device.database);
  const std::vector<std::string> before = contents(device.database);
  {
    satchel::Options options;
    options.quota.exact = true;
    satchel::Outbox outbox{device.path, options};
    outbox.enqueue({.topic = "plain", .payload = "pending"});
    outbox.enqueue({.topic = "plain", .payload = "keyed", .key = "k"});
  }
  CHECK(contents(device.database).size() > before.size());
  device.database.exec(script());
  CHECK(contents(device.database) == before);
  CHECK(device.database.execAndGet("PRAGMA user_version").getInt() == 17);
  CHECK(device.database.execAndGet("PRAGMA application_id").getInt() == 42);
  CHECK(device.database.execAndGet("PRAGMA integrity_check").getString() == "ok");
}

TEST_CASE("uninstall: what options have made is taken away, too") {
  Device device;
  make_application(device.database);
  const std::vector<std::string> before = contents(device.database);
  satchel::Options options;
  options.quota.exact = true;
  options.quota.messages = 10;
  satchel::Outbox{device.path, options}.enqueue({.topic = "plain", .payload = "pending"});
  CHECK(device.database.execAndGet("SELECT count(*) FROM satchel_quota").getInt() > 0);
  device.database.exec(script());
  CHECK(contents(device.database) == before);
}

TEST_CASE("uninstall: a file that gives its space back stays sound") {
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  satchel::Options options;
  options.max_free_bytes = 1U << 20U;
  satchel::Outbox{path, options}.enqueue({.topic = "plain", .payload = std::string(100'000, 'x')});
  SQLite::Database database{path, SQLite::OPEN_READWRITE, 1000};
  REQUIRE(database.execAndGet("PRAGMA auto_vacuum").getInt() == 2);
  database.exec(script());
  CHECK(contents(database).empty());
  CHECK(database.execAndGet("PRAGMA integrity_check").getString() == "ok");
}

TEST_CASE("uninstall: knows what each version of the file format has made") {
  for (std::size_t steps = 1; steps <= satchel::store::migrations().size(); ++steps) {
    CAPTURE(steps);
    Device device;
    make_application(device.database);
    const std::vector<std::string> before = contents(device.database);
    SQLite::Transaction making{device.database};
    satchel::store::migrate(device.database, satchel::store::migrations().first(steps), 1);
    making.commit();
    device.database.exec(script());
    CHECK(contents(device.database) == before);
  }
}

TEST_CASE("uninstall: a second time, or without satchel, it does nothing") {
  Device device;
  make_application(device.database);
  const std::vector<std::string> before = contents(device.database);
  device.database.exec(script());
  device.database.exec(script());
  CHECK(contents(device.database) == before);
}

TEST_CASE("uninstall: satchel can be installed again") {
  Device device;
  {
    satchel::Outbox outbox{device.path};
    outbox.enqueue({.topic = "plain", .payload = "before"});
  }
  device.database.exec(script());
  satchel::Outbox outbox{device.path};
  CHECK(outbox.status().pending == 0);
  outbox.enqueue({.topic = "plain", .payload = "after"});
  CHECK(outbox.status().pending == 1);
  CHECK(satchel::store::schema_damage(device.database).empty());
}
