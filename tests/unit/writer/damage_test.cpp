// SPDX-License-Identifier: MIT
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <optional>
#include <string>

TEST_CASE("writer: a damaged file is not moved away from under the application's connection") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  {
    satchel::Outbox outbox{path};
    outbox.enqueue({.topic = "t"});
  }
  SQLite::Database application{path, SQLite::OPEN_READWRITE};
  sqlite3_db_config(application.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  std::optional<satchel::Writer> writer{std::in_place, application};
  // The definition of the index of keys says something else than what satchel wrote.
  sqlite3_db_config(application.getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
  application.exec(
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'IS NOT NULL', 'IS NULL')"
      " WHERE name = 'satchel_message_by_key'; PRAGMA writable_schema = RESET");
  satchel::Options options;
  options.check_at_open = true;
  CHECK_THROWS_WITH_AS((satchel::Outbox{path, options}), doctest::Contains("another outbox has it open"),
                       satchel::OpenError);
  writer.reset();
  const satchel::Outbox outbox{path, options};
  CHECK(outbox.salvaged().has_value());
  CHECK(outbox.status().pending == 1);
}
