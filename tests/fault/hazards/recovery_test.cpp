// SPDX-License-Identifier: MIT
//
// What a crash brings to light: commits that vanish after a savepoint, and commits that failed and come back.
#include "hazard.hpp"

#include "support/fault_vfs.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <satchel/error.hpp>
#include <satchel/outbox.hpp>

#include <doctest/doctest.h>

using namespace hazards;
using support::FaultVfs;
using support::FileKind;
using support::FileOp;
using support::TempDir;

namespace {

constexpr int kPages = 300;
constexpr int kLater = 20;

/// Behind the savepoint pages are written to the log ahead of the commit, the later ones of them twice, which
/// leaves them without a checksum until the commit; all are taken back. A defective SQLite then writes the
/// frames of the commit without one, too, and recovery ends before them.
void spill_and_roll_back(SQLite::Database& database) {
  database.exec("SAVEPOINT s");
  database.exec("UPDATE big SET v = randomblob(3000) WHERE id <= 200");
  database.exec("UPDATE big SET v = randomblob(3000) WHERE id BETWEEN 100 AND 200");
  database.exec("ROLLBACK TO s");
  database.exec("RELEASE s");
  database.exec("INSERT INTO acked(n) VALUES (1)");
}

const std::string kFill = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < " +
                          std::to_string(kPages) +
                          ") INSERT INTO big(id, v) SELECT n, randomblob(3000) FROM c";

/// Rows that are there after a crash, of 1 + kLater that were acknowledged.
std::int64_t spill_on_plain_sqlite(const std::string& path) {
  const bool ended = die_after([&] {
    SQLite::Database database = plain(path);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 10");
    database.exec("CREATE TABLE big(id INTEGER PRIMARY KEY, v); CREATE TABLE acked(n)");
    database.exec(kFill);
    database.exec("BEGIN IMMEDIATE");
    spill_and_roll_back(database);
    database.exec("COMMIT");
    for (int i = 0; i < kLater; ++i) database.exec("INSERT INTO acked(n) VALUES (2)");
    die();
  });
  REQUIRE(ended);
  return number(path, "SELECT count(*) FROM acked");
}

}  // namespace

TEST_CASE("hazards: commits after a rollback to a savepoint survive kill -9, whatever the cache spilled") {
  const TempDir dir;
  std::int64_t plain_kept = -1;
  if (sqlite_has("savepoint-spill")) {
    plain_kept = spill_on_plain_sqlite(dir.path() + "/plain.db");
    CHECK(plain_kept < 1 + kLater);
  } else {
    MESSAGE("this SQLite does not have the defect: no control");
  }
  const std::string path = dir.path() + "/box.db";
  const bool ended = die_after([&] {
    satchel::Options options;
    options.cache_bytes = 16U << 10U;
    satchel::Outbox outbox{path, options};
    {
      satchel::Transaction tx = outbox.begin();
      tx.execute("CREATE TABLE big(id INTEGER PRIMARY KEY, v)");
      tx.execute("CREATE TABLE acked(n)");
      tx.execute(kFill);
      tx.commit();
    }
    {
      satchel::Transaction tx = outbox.begin();
      spill_and_roll_back(tx.database());
      tx.enqueue({.topic = "t", .payload = "1"});
      tx.commit();
    }
    for (int i = 0; i < kLater; ++i) {
      satchel::Transaction tx = outbox.begin();
      tx.execute("INSERT INTO acked(n) VALUES (2)");
      tx.enqueue({.topic = "t", .payload = "2"});
      tx.commit();
    }
    die();
  });
  REQUIRE(ended);
  satchel::Outbox outbox{path};
  CHECK(outbox.status().pending == 1 + kLater);
  const std::int64_t kept = number(path, "SELECT count(*) FROM acked");
  CHECK(kept == 1 + kLater);
  support::Report report{"hazards", "savepoint rollback after a cache spill, then kill -9"};
  report.figure("acknowledged", 1 + kLater);
  report.figure("kept", kept);
  report.figure("kept by plain SQLite", plain_kept);
}

TEST_CASE("hazards: a commit whose sync failed does not come back after the next commit") {
  const TempDir dir;
  const auto count = [](const std::string& path, int n) {
    return number(path, "SELECT count(*) FROM rows WHERE n = " + std::to_string(n));
  };
  // The control: the application is told that the commit failed, does not see it, and after a crash it is
  // there.
  const std::string ghost = dir.path() + "/plain.db";
  REQUIRE(die_after([&] {
    FaultVfs faults;
    SQLite::Database database = plain(ghost, faults.name().c_str());
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE rows(n)");
    database.exec("INSERT INTO rows VALUES (0)");
    faults.fail(FileOp::sync, FileKind::log, SQLITE_IOERR_FSYNC);
    bool refused = false;
    try {
      database.exec("INSERT INTO rows VALUES (1)");
    } catch (const SQLite::Exception&) {
      refused = true;
    }
    if (!refused || database.execAndGet("SELECT count(*) FROM rows").getInt() != 1) ::_exit(2);
    die();
  }));
  const std::int64_t ghosts = count(ghost, 1);
  CHECK(ghosts == 1);

  // Once: what follows the failure at once makes it impossible to come back. For longer: the next commit
  // does.
  std::int64_t came_back = 0;
  for (const bool lasting : {false, true}) {
    CAPTURE(lasting);
    const std::string path = dir.path() + (lasting ? "/lasting.db" : "/once.db");
    REQUIRE(die_after([&] {
      FaultVfs faults;
      satchel::Options options;
      options.vfs = faults.name();
      satchel::Outbox outbox{path, options};
      const auto write = [&](int n) {
        satchel::Transaction tx = outbox.begin();
        tx.execute("CREATE TABLE IF NOT EXISTS rows(n)");
        tx.execute("INSERT INTO rows(n) VALUES (?)", n);
        tx.enqueue({.topic = "t", .payload = std::to_string(n)});
        tx.commit();
      };
      write(0);
      faults.fail(FileOp::sync, FileKind::log, SQLITE_IOERR_FSYNC, 1, lasting);
      bool unknown = false;
      try {
        write(1);
      } catch (const satchel::OutcomeUnknown&) {
        unknown = true;
      }
      if (!unknown) ::_exit(2);
      faults.heal();
      if (lasting) write(2);
      die();
    }));
    CHECK(count(path, 0) == 1);
    const std::int64_t back = count(path, 1);
    CHECK(back == 0);
    came_back += back;
    CHECK(count(path, 2) == (lasting ? 1 : 0));
    CHECK(satchel::Outbox{path}.status().pending == (lasting ? 2 : 1));
  }
  support::Report report{"hazards", "a commit whose sync failed, then kill -9"};
  report.figure("came back", came_back);
  report.figure("came back on plain SQLite", ghosts);
}

TEST_CASE("hazards: a commit that ran out of memory behind its last frame does not come back") {
  const TempDir dir;
  // More frames than the first piece of the log's index has room for: SQLite asks for the next piece when
  // all of them are written and synced.
  static constexpr const char* kMuch = "INSERT INTO rows(n, v) VALUES (1, randomblob(2500000))";
  const auto exhaust = [](FaultVfs& faults, bool lasting) {
    faults.fail(FileOp::shared_memory, FileKind::database, SQLITE_NOMEM, 1, lasting);
  };
  const std::string ghost = dir.path() + "/plain.db";
  REQUIRE(die_after([&] {
    FaultVfs faults;
    SQLite::Database database = plain(ghost, faults.name().c_str());
    database.exec("PRAGMA page_size = 512; PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_spill = OFF");
    database.exec("CREATE TABLE rows(n, v)");
    exhaust(faults, false);
    if (database.tryExec(kMuch) != SQLITE_NOMEM) ::_exit(2);
    if (database.execAndGet("SELECT count(*) FROM rows").getInt() != 0) ::_exit(3);
    die();
  }));
  const std::int64_t ghosts = number(ghost, "SELECT count(*) FROM rows");
  CHECK(ghosts == 1);

  std::int64_t came_back = 0;
  for (const bool lasting : {false, true}) {
    CAPTURE(lasting);
    const std::string path = dir.path() + (lasting ? "/lasting.db" : "/once.db");
    REQUIRE(die_after([&] {
      FaultVfs faults;
      satchel::Options options;
      options.vfs = faults.name();
      options.page_size = 512;
      satchel::Outbox outbox{path, options};
      satchel::Transaction made = outbox.begin();
      made.execute("CREATE TABLE rows(n, v)");
      made.commit();
      satchel::Transaction tx = outbox.begin();
      tx.execute(kMuch);
      tx.enqueue({.topic = "t", .payload = "1"});
      exhaust(faults, lasting);
      bool refused = false;
      bool unknown = false;
      try {
        tx.commit();
      } catch (const satchel::OutcomeUnknown&) {
        unknown = true;
      } catch (const satchel::StorageError&) {
        refused = true;
      }
      if (lasting ? !(unknown || refused) : !refused) ::_exit(2);
      faults.heal();
      // What was refused must never be there; what is unknown may be until the next commit.
      if (unknown) outbox.enqueue({.topic = "t", .payload = "2"});
      die();
    }));
    came_back += number(path, "SELECT count(*) FROM rows");
  }
  CHECK(came_back == 0);
  support::Report report{"hazards", "a commit that ran out of memory behind its last frame, then kill -9"};
  report.figure("came back", came_back);
  report.figure("came back on plain SQLite", ghosts);
}
