// SPDX-License-Identifier: MIT
#include "store/salvage.hpp"

#include "store/place.hpp"
#include "store/schema.hpp"
#include "store/sqlite_files.hpp"
#include "store/statement.hpp"
#include "store/table_copy.hpp"

#include <SQLiteCpp/Database.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel::store {
namespace {

// A name that no schema row is copied under.
constexpr const char* kObjects = "satchel_salvaged_objects";

/// An entry of the old schema.
struct Object {
  std::string type;
  std::string name;
  std::string table;
  std::string sql;
};

/// The damaged file: as it reads, for reading only.
class Old {
 public:
  Old(const std::string& path, const std::string& vfs) : database_{path, SQLite::OPEN_READWRITE, 1000, vfs} {
    sqlite3* handle = database_.getHandle();
    sqlite3_extended_result_codes(handle, 1);
    keep_log(handle);
    // Lets SQLite go on in spite of schema entries that it cannot read and of a file that is too short.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  }

  sqlite3* handle() { return database_.getHandle(); }

  std::optional<std::int64_t> number(const char* sql) {
    try {
      Statement statement{database_, sql};
      if (statement.step()) return statement.integer(0);
    } catch (const SQLite::Exception&) {
      // Unreadable is the same as not there.
    }
    return std::nullopt;
  }

 private:
  SQLite::Database database_;
};

/// The new file while it is filled: nothing but a sync at its end makes it last, so nothing else is paid for.
SQLite::Database make_new(const std::string& path, const std::string& like, const std::string& vfs) {
  SQLite::Database database{"file:" + uri_path(path) + "?modeof=" + uri_path(like),
                            SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_URI, 1000, vfs};
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, nullptr);
  // Triggers come after the rows, and nothing in the old schema is to run meanwhile.
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

class Salvager {
 public:
  Salvager(SQLite::Database& to, Old& from) : to_{to}, from_{from} {}

  Salvage run(std::size_t page_size) {
    copy_pragmas(page_size);
    to_.exec("BEGIN IMMEDIATE");
    // Ours are made as we know them: their definitions may be damaged too.
    const std::int64_t version = old_version();
    for (const Migration& step : migrations()) {
      if (step.version <= version) apply(to_, step);
    }
    to_.exec("DELETE FROM satchel_state");
    to_.exec("DROP TRIGGER satchel_message_tombstone");
    const std::vector<Object> objects = read_objects();
    for (const Object& object : objects) {
      if (object.type == "table") copy(object);
    }
    // A schema entry that is damaged is not there for SQLite.
    if (!messages_found_ || !dead_found_) {
      salvage_.report.messages_whole = false;
      salvage_.report.end_unread = true;
    }
    for (const Migration& step : migrations()) {
      if (step.version > version) apply(to_, step);
    }
    copy_state();
    copy_sequence();
    for (const char* type : {"index", "view", "trigger"}) {
      for (const Object& object : objects) {
        if (object.type == type && !ours(object)) make_again(object);
      }
    }
    count();
    to_.exec("COMMIT");
    salvage_.version = from_.number("SELECT value FROM satchel_state WHERE name = 'schema'").value_or(0);
    return std::move(salvage_);
  }

 private:
  /// The version as which the old tables are read: rows are copied by place, so that the number of columns
  /// has to be the same.
  std::int64_t old_version() {
    const auto version = from_.number("SELECT value FROM satchel_state WHERE name = 'schema'");
    if (version) return *version;
    for (const char* sql : {"SELECT count(retry) FROM satchel_message WHERE id IS NULL",
                            "SELECT count(retry) FROM satchel_dead WHERE id IS NULL"}) {
      if (from_.number(sql)) return kSchemaVersion;
    }
    return 1;
  }

  void copy_pragmas(std::size_t page_size) {
    to_.exec("PRAGMA journal_mode = OFF");
    to_.exec("PRAGMA synchronous = FULL");
    const auto old_size = from_.number("PRAGMA page_size");
    to_.exec(fmt::format("PRAGMA page_size = {}", old_size.value_or(static_cast<std::int64_t>(page_size))));
    for (const char* name : {"auto_vacuum", "user_version", "application_id"}) {
      if (const auto value = from_.number(fmt::format("PRAGMA {}", name).c_str()); value && *value != 0)
        to_.exec(fmt::format("PRAGMA {} = {}", name, *value));
    }
    try {
      Statement encoding{from_.handle(), "PRAGMA encoding"};
      if (encoding.step()) to_.exec(fmt::format("PRAGMA encoding = '{}'", encoding.text(0)));
    } catch (const SQLite::Exception&) {
      return;  // UTF-8 then
    }
  }

  std::vector<Object> read_objects() {
    to_.exec(fmt::format("CREATE TEMP TABLE {}(type, name, tbl_name, rootpage, sql)", kObjects));
    TableCopy copied = copy_table(to_.getHandle(), kObjects, from_.handle(), "sqlite_schema");
    if (!copied.table.whole) {
      // Whole tables may be missing, and with them the messages.
      lose_messages(copied);
      salvage_.report.end_unread = true;
    }
    salvage_.report.tables.push_back(std::move(copied.table));
    const std::string sql =
        fmt::format("SELECT type, name, tbl_name, sql FROM temp.{} ORDER BY _rowid_", kObjects);
    std::vector<Object> objects;
    Statement rows{to_, sql.c_str()};
    while (rows.step()) {
      // The index of a constraint comes with its table; anything else has lost its definition.
      if (rows.is_null(3)) {
        if (!rows.text(1).starts_with("sqlite_autoindex_"))
          salvage_.report.left_out.push_back(
              fmt::format("{} {}: its definition is gone", rows.text(0), rows.text(1)));
        continue;
      }
      objects.push_back({std::string{rows.text(0)}, std::string{rows.text(1)}, std::string{rows.text(2)},
                         std::string{rows.text(3)}});
    }
    return objects;
  }

  /// Makes an object from its SQL; false when SQLite does not take it.
  bool make_again(const Object& object) {
    try {
      to_.exec(object.sql);
      return true;
    } catch (const SQLite::Exception& failure) {
      if ((failure.getErrorCode() & 0xff) == SQLITE_FULL || (failure.getErrorCode() & 0xff) == SQLITE_IOERR)
        throw;
      salvage_.report.left_out.push_back(fmt::format("{} {}: {}", object.type, object.name, failure.what()));
      return false;
    }
  }

  static bool ours(const Object& object) { return object.name.starts_with("satchel_"); }

  void copy(const Object& object) {
    if (sqlite3_strnicmp(object.name.c_str(), "sqlite_", 7) == 0) return;
    if (sqlite3_strnicmp(object.sql.c_str(), "CREATE VIRTUAL", 14) == 0) {
      // Its content is in tables of its own, which are copied like all others; to make it by its SQL would
      // make those too.
      Statement{
          to_,
          "INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES ('table', ?1, ?1, 0, ?2)"}
          .bind_text(1, object.name)
          .bind_text(2, object.sql)
          .run();
      return;
    }
    if (object.name == "satchel_state") return;
    if (!(ours(object) && to_.tableExists(object.name)) && !make_again(object)) return;
    if (!to_.tableExists(object.name)) {
      salvage_.report.left_out.push_back("table " + object.name + ": its name does not fit its definition");
      return;
    }
    TableCopy copied = copy_table(to_.getHandle(), object.name, from_.handle(), object.name);
    messages_found_ = messages_found_ || object.name == "satchel_message";
    dead_found_ = dead_found_ || object.name == "satchel_dead";
    if (!copied.table.whole && (object.name == "satchel_message" || object.name == "satchel_dead"))
      lose_messages(copied);
    salvage_.report.tables.push_back(std::move(copied.table));
  }

  void lose_messages(const TableCopy& copied) {
    SalvageReport& report = salvage_.report;
    report.messages_whole = false;
    if (copied.table.name != "sqlite_schema") report.unread_ids += copied.unread_ids;
    report.end_unread = report.end_unread || copied.end_unread;
  }

  /// What the opening cannot make anew: numbers of routes that were given, and notes of the relay.
  void copy_state() {
    try {
      Statement rows{from_.handle(), "SELECT name, value FROM satchel_state ORDER BY name"};
      while (rows.step()) {
        const std::string name{rows.text(0)};
        const bool number = name.starts_with("sequence:") && rows.type(1) == SQLITE_INTEGER;
        if (!number && !name.starts_with("note:")) continue;
        Statement add{to_, "INSERT OR IGNORE INTO satchel_state(name, value) VALUES (?1, ?2)"};
        add.bind_text(1, name);
        const std::string_view value = rows.text(1);
        (number ? add.bind(2, rows.integer(1)) : add.bind_text(2, value)).run();
      }
    } catch (const SQLite::Exception& failure) {
      if ((failure.getErrorCode() & 0xff) == SQLITE_FULL || (failure.getErrorCode() & 0xff) == SQLITE_IOERR)
        throw;
      salvage_.report.tables.push_back({"satchel_state", 0, false, failure.what()});
    }
  }

  /// Where AUTOINCREMENT goes on: at the greatest id that anybody knows of.
  void copy_sequence() {
    if (!to_.tableExists("sqlite_sequence")) return;
    try {
      Statement rows{from_.handle(), "SELECT name, seq FROM sqlite_sequence"};
      while (rows.step()) {
        Statement raise{to_, "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1"};
        if (raise.bind_text(1, rows.text(0)).bind(2, rows.integer(1)).run_and_count() > 0) continue;
        Statement add{to_, "INSERT INTO sqlite_sequence(name, seq) VALUES (?1, ?2)"};
        add.bind_text(1, rows.text(0)).bind(2, rows.integer(1)).run();
      }
    } catch (const SQLite::Exception& failure) {
      salvage_.report.tables.push_back({"sqlite_sequence", 0, false, failure.what()});
    }
  }

  void count() {
    const auto one = [&](const char* table, const char* sql) -> std::uint64_t {
      if (!to_.tableExists(table)) return 0;
      Statement statement{to_, sql};
      return statement.step() ? static_cast<std::uint64_t>(statement.integer(0)) : 0;
    };
    salvage_.report.pending =
        one("satchel_message", "SELECT count(*) FROM satchel_message WHERE topic <> ''");
    salvage_.newest =
        static_cast<std::int64_t>(one("satchel_message", "SELECT max(id) FROM satchel_message"));
    salvage_.report.dead = one("satchel_dead", "SELECT count(*) FROM satchel_dead");
  }

  SQLite::Database& to_;
  Old& from_;
  Salvage salvage_;
  bool messages_found_ = false;
  bool dead_found_ = false;
};

}  // namespace

Salvage salvage_into(const std::string& to, const std::string& from, std::size_t page_size,
                     const std::string& vfs) {
  Old old{from, vfs};
  SQLite::Database made = make_new(to, from, vfs);
  return Salvager{made, old}.run(page_size);
}

}  // namespace satchel::store
