// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/damage.hpp"

#include <satchel/error.hpp>
#include <satchel/salvage.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace store_test;
using satchel::OnDamage;
using satchel::OpenError;
namespace fs = std::filesystem;

namespace {

constexpr int kMessages = 200;

std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

void overwrite(const std::string& path, std::size_t at, const std::string& bytes) {
  std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
  file.seekp(static_cast<std::streamoff>(at));
  file << bytes;
}

/// A file whose messages fill many pages, all of it in the database and nothing in the log.
struct Filled : File {
  Filled() {
    options.page_size = 1024;
    const auto store = open();
    auto writing = store->begin();
    writing->database().exec("CREATE TABLE reading(id INTEGER PRIMARY KEY, celsius REAL)");
    for (int i = 1; i <= kMessages; ++i) {
      writing->database().exec("INSERT INTO reading(celsius) VALUES (" + std::to_string(i) + ")");
      writing->enqueue({.topic = "t", .payload = std::string(100, 'x') + std::to_string(i)});
    }
    writing->commit();
    identity = store->identity();
    Foreign shell{path};
    shell.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    SQLite::Statement root{shell.database,
                           "SELECT rootpage FROM sqlite_schema WHERE name = 'satchel_message'"};
    root.executeStep();
    root_page = static_cast<std::size_t>(root.getColumn(0).getInt());
  }

  /// Garbage in the page that holds the middle of the messages.
  void damage_a_leaf() const {
    const std::string all = bytes_of(path);
    const std::size_t at = all.find(std::string(100, 'x') + "100");
    REQUIRE(at != std::string::npos);
    overwrite(path, at - at % 1024, std::string(1024, '\x5a'));
  }

  satchel::Identity identity{};
  std::size_t root_page = 0;
};

std::uint64_t waiting(const satchel::store::Store& store) { return store.counts().pending; }

}  // namespace

TEST_CASE("salvage: a damaged page costs its own rows, and the rest goes on with the same ids") {
  Filled file;
  file.damage_a_leaf();
  const std::string damaged = bytes_of(file.path);
  file.options.check_at_open = true;
  const auto store = file.open();
  const auto& report = store->salvaged();
  REQUIRE(report.has_value());
  CHECK_FALSE(report->messages_whole);
  CHECK_FALSE(report->end_unread);
  CHECK(report->pending == waiting(*store));
  CHECK(report->pending + report->unread_ids == kMessages);
  CHECK(report->unread_ids < 20);
  CHECK(report->kept_as == file.path + ".damaged-1");
  CHECK(bytes_of(report->kept_as) == damaged);
  CHECK(file.notes->any_with("kept as"));
  const auto writing = store->begin();
  CHECK(writing->database().execAndGet("SELECT count(*) FROM reading").getInt() == kMessages);
  CHECK(writing->database().execAndGet("SELECT min(id) || ' ' || max(id) FROM satchel_message").getString() ==
        "1 200");
  // New messages have an identity of their own: what was read last need not have been the last.
  const MessageId id = writing->enqueue({.topic = "t"});
  CHECK(id.row == kMessages + 1);
  CHECK(id.identity != file.identity);
}

TEST_CASE("salvage: damage met at work is looked into at the next opening") {
  Filled file;
  file.damage_a_leaf();
  {
    const auto store = file.open();
    CHECK_FALSE(store->salvaged().has_value());
    REQUIRE(store->acquire().has_value());
    satchel::ClaimQuery query;
    query.max_count = kMessages;
    CHECK_THROWS_AS(store->claim(query), satchel::StorageError);
  }
  const auto store = file.open();
  REQUIRE(store->salvaged().has_value());
  CHECK(waiting(*store) > 180);
}

TEST_CASE("salvage: what was salvaged once is sound afterwards") {
  Filled file;
  file.damage_a_leaf();
  file.options.check_at_open = true;
  { REQUIRE(file.open()->salvaged().has_value()); }
  CHECK_FALSE(file.open()->salvaged().has_value());
}

TEST_CASE("salvage: refuse leaves everything as it is") {
  Filled file;
  file.damage_a_leaf();
  file.options.check_at_open = true;
  file.options.on_damage = OnDamage::refuse;
  const std::string before = bytes_of(file.path);
  CHECK_THROWS_AS(file.open(), OpenError);
  CHECK(bytes_of(file.path) == before);
  CHECK_FALSE(fs::exists(file.path + ".damaged-1"));
}

TEST_CASE("salvage: a file that another outbox has open is not moved away from under it") {
  Filled file;
  const auto other = file.open();
  file.damage_a_leaf();
  file.options.check_at_open = true;
  CHECK_THROWS_WITH_AS(file.open(), doctest::Contains("another outbox has it open"), OpenError);
  CHECK_FALSE(fs::exists(file.path + ".damaged-1"));
}

TEST_CASE("salvage: a file that never was an outbox is left alone") {
  const File file;
  std::ofstream{file.path} << std::string(5000, 'q');
  CHECK_THROWS_AS(file.open(), OpenError);
  CHECK(bytes_of(file.path) == std::string(5000, 'q'));
  CHECK_FALSE(fs::exists(file.path + ".damaged-1"));
  CHECK_FALSE(fs::exists(file.path + "-relay"));
}

TEST_CASE("salvage: an emptied file is not taken for a new one") {
  Filled file;
  fs::resize_file(file.path, 0);
  const auto store = file.open();
  REQUIRE(store->salvaged().has_value());
  CHECK(store->salvaged()->pending == 0);
  CHECK_FALSE(store->salvaged()->messages_whole);
  CHECK(store->salvaged()->unread_ids == kMessages);
  CHECK(fs::exists(store->salvaged()->kept_as));
}

TEST_CASE("salvage: a lost end of the log is told by number, and its ids do not come again") {
  File file;
  {
    const auto store = file.open();
    for (int i = 0; i < 10; ++i) store->save({.topic = "t", .payload = "x"});
  }
  const std::string log = file.path + "-wal";
  fs::resize_file(log, fs::file_size(log) - 3 * (4096 + 24) - 1);
  const auto store = file.open();
  const std::uint64_t left = waiting(*store);
  CHECK(left < 10);
  CHECK(file.notes->any_with("rows " + std::to_string(left + 1) + " to 10 were committed once"));
  const MessageId next = store->save({.topic = "t"});
  CHECK(next.identity != satchel::Identity{});
  SQLite::Database look{file.path};
  CHECK(look.execAndGet("SELECT count(*) FROM satchel_identity").getInt() == 2);
}

TEST_CASE("salvage: a crash at any step of putting the new file in place is made good") {
  Filled file;
  file.damage_a_leaf();
  const std::string damaged = bytes_of(file.path);
  file.options.check_at_open = true;
  std::string sound;
  {
    REQUIRE(file.open()->salvaged().has_value());
    Foreign shell{file.path};
    shell.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  sound = bytes_of(file.path);
  const auto only = [&](const std::string& name, const std::string& bytes) {
    std::ofstream{name, std::ios::binary | std::ios::trunc} << bytes;
  };
  const auto clear = [&] {
    for (const auto& entry : fs::directory_iterator{file.directory.path()}) {
      if (!entry.path().string().ends_with("-relay")) fs::remove(entry.path());
    }
  };
  SUBCASE("while the new one is written") {
    clear();
    only(file.path, damaged);
    only(file.path + "-salvage", sound.substr(0, 3000));
    const auto store = file.open();
    CHECK(store->salvaged().has_value());
    CHECK(waiting(*store) > 180);
  }
  SUBCASE("after the damaged one has its new name") {
    clear();
    only(file.path + ".damaged-1", damaged);
    only(file.path + "-wal", "the log of the damaged file");
    only(file.path + "-salvage", sound);
    const auto store = file.open();
    CHECK_FALSE(store->salvaged().has_value());
    CHECK(waiting(*store) > 180);
    CHECK(bytes_of(file.path + ".damaged-1-wal") == "the log of the damaged file");
  }
  CHECK_FALSE(fs::exists(file.path + "-salvage"));
}

TEST_CASE("salvage: everything of the application comes along") {
  Filled file;
  {
    Foreign shell{file.path};
    shell.database.exec(
        "PRAGMA user_version = 7; PRAGMA application_id = 99;"
        "CREATE TABLE setting(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
        "INSERT INTO setting VALUES ('a', 1), ('b', x'00ff'), ('c', NULL);"
        "CREATE TABLE audit(n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT, twice TEXT AS (what || what));"
        "INSERT INTO audit(what) VALUES ('one'), ('two'); DELETE FROM audit WHERE n = 2;"
        "CREATE INDEX audit_by_what ON audit(what);"
        "CREATE VIEW hot AS SELECT * FROM reading WHERE celsius > 90;"
        "CREATE TRIGGER noted AFTER DELETE ON setting BEGIN INSERT INTO audit(what) VALUES (OLD.name); END;"
        "CREATE VIRTUAL TABLE words USING fts5(text); INSERT INTO words VALUES ('boiler hot');"
        "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  file.damage_a_leaf();
  file.options.check_at_open = true;
  const auto store = file.open();
  REQUIRE(store->salvaged().has_value());
  CHECK(store->salvaged()->left_out.empty());
  const auto writing = store->begin();
  SQLite::Database& database = writing->database();
  const auto one = [&](const char* sql) { return database.execAndGet(sql).getString(); };
  CHECK(one("PRAGMA user_version") == "7");
  CHECK(one("PRAGMA application_id") == "99");
  CHECK(one("SELECT group_concat(name || quote(value)) FROM setting") == "a1,bX'00FF',cNULL");
  CHECK(one("SELECT twice FROM audit") == "oneone");
  CHECK(one("SELECT count(*) FROM hot") == "110");
  CHECK(one("SELECT text FROM words WHERE words MATCH 'boiler'") == "boiler hot");
  database.exec("DELETE FROM setting WHERE name = 'a'");
  // AUTOINCREMENT has not forgotten the row that was deleted.
  CHECK(one("SELECT n FROM audit WHERE what = 'a'") == "3");
  CHECK(one("PRAGMA integrity_check") == "ok");
}

TEST_CASE("salvage: numbers of routes and notes of the relay come along") {
  Filled file;
  {
    Foreign shell{file.path};
    shell.database.exec(
        "INSERT INTO satchel_state VALUES ('sequence:r', 41), ('sequence:odd', 'x'), ('note:n', 'kept');"
        "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  file.damage_a_leaf();
  file.options.check_at_open = true;
  const auto store = file.open();
  REQUIRE(store->salvaged().has_value());
  Foreign shell{file.path};
  CHECK(
      shell.text("SELECT group_concat(name || '=' || value, ' ') FROM (SELECT * FROM satchel_state WHERE name"
                 " LIKE '%:%' ORDER BY name)") == "note:n=kept sequence:r=41");
  CHECK(shell.number("SELECT value FROM satchel_state WHERE name = 'schema'") == 2);
}

TEST_CASE("salvage: a damaged file of a newer satchel is for that one to salvage") {
  Filled file;
  {
    Foreign shell{file.path};
    shell.database.exec(
        "UPDATE satchel_state SET value = 9 WHERE name = 'schema'; PRAGMA wal_checkpoint(TRUNCATE)");
  }
  file.damage_a_leaf();
  file.options.check_at_open = true;
  const std::string before = bytes_of(file.path);
  CHECK_THROWS_AS(file.open(), satchel::SchemaTooNew);
  CHECK(bytes_of(file.path) == before);
}

TEST_CASE("salvage: a visitor finds the damage as well, and the identity is the owner's") {
  Filled file;
  file.damage_a_leaf();
  file.options.check_at_open = true;
  file.options.visiting = true;
  {
    const auto visitor = file.open();
    REQUIRE(visitor->salvaged().has_value());
    CHECK(waiting(*visitor) > 180);
  }
  file.options.visiting = false;
  const auto store = file.open();
  CHECK_FALSE(store->salvaged().has_value());
  CHECK(store->claim({}).messages.front().id.identity == file.identity);
}

TEST_CASE("salvage: damage that SQLite takes for an error in the SQL is found, and costs nothing") {
  Filled file;
  std::string problem;
  SUBCASE("a format of the schema that there is not") {
    overwrite(file.path, 47, "\x44");
    problem = "the format of the schema in its header is none that there is";
  }
  SUBCASE("a column of another name") {
    const std::string definition = "satchel_state(\n  name TEXT";
    const std::size_t at = bytes_of(file.path).find(definition);
    REQUIRE(at != std::string::npos);
    overwrite(file.path, at + definition.find("name"), "nbme");
    problem = "the definition of satchel_state is damaged";
  }
  SUBCASE("a column that only dead letters have") {
    const std::string definition = "last_error TEXT,\n  died_boot";
    const std::size_t at = bytes_of(file.path).find(definition);
    REQUIRE(at != std::string::npos);
    overwrite(file.path, at, "lost_error");
    problem = "the definition of satchel_dead is damaged";
  }
  const std::string before = bytes_of(file.path);
  file.options.on_damage = OnDamage::refuse;
  CHECK_THROWS_AS(file.open(), OpenError);
  CHECK(bytes_of(file.path) == before);
  file.options.on_damage = OnDamage::salvage;
  const auto store = file.open();
  REQUIRE(store->salvaged().has_value());
  CHECK(store->salvaged()->problem == problem);
  CHECK(store->salvaged()->messages_whole);
  CHECK(waiting(*store) == kMessages);
  CHECK(store->begin()->database().execAndGet("SELECT count(*) FROM reading").getInt() == kMessages);
}

TEST_CASE("salvage: an error in the SQL of a sound file is no damage") {
  const Filled file;
  CHECK(satchel::store::hidden_damage(file.path, "").empty());
  CHECK(satchel::store::hidden_damage(file.path + ".not-there", "").empty());
}

TEST_CASE("salvage: a table that cannot be found again is told by name") {
  Filled file;
  std::string told;
  {
    Foreign shell{file.path};
    SUBCASE("without a definition") {
      shell.database.exec(
          "PRAGMA writable_schema = ON;"
          "UPDATE sqlite_schema SET sql = NULL WHERE name = 'reading'");
      told = "table reading: its definition is gone";
    }
    SUBCASE("that is not in the schema any more") {
      shell.database.exec("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'reading'");
      told = "what is on pages that a table has lost";
    }
    SUBCASE("that begins at the page of another") {
      shell.database.exec(
          "PRAGMA writable_schema = ON;"
          "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name ="
          " 'satchel_counter') WHERE name = 'reading'");
      told = "what is on pages that a table has lost";
    }
    shell.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  file.options.check_at_open = true;
  const auto store = file.open();
  REQUIRE(store->salvaged().has_value());
  REQUIRE_FALSE(store->salvaged()->left_out.empty());
  CHECK(store->salvaged()->left_out.front().find(told) == 0);
  CHECK(waiting(*store) == kMessages);
}

TEST_CASE("salvage: a sound file with a collation of the application's is opened after a suspicion") {
  const Filled file;
  const auto compare = [](void*, int, const void*, int, const void*) { return 0; };
  const auto mark = [&] { satchel::store::RelayFile{file.path + "-relay"}.mark_damage(true); };
  {
    Foreign shell{file.path};
    sqlite3_create_collation(shell.database.getHandle(), "mine", SQLITE_UTF8, nullptr, compare);
    shell.exec("CREATE TABLE named(name TEXT COLLATE mine); CREATE INDEX by_name ON named(name)");
    shell.exec("INSERT INTO named VALUES ('a'); PRAGMA wal_checkpoint(TRUNCATE)");
  }
  mark();
  SUBCASE("sound") {
    const auto store = file.open();
    CHECK_FALSE(store->salvaged());
    CHECK(store->counts().pending == kMessages);
  }
  SUBCASE("damaged where it can be read") {
    file.damage_a_leaf();
    CHECK(file.open()->salvaged());
  }
  CHECK_FALSE(satchel::store::RelayFile{file.path + "-relay"}.damage_marked());
}
