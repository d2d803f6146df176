// SPDX-License-Identifier: MIT
//
// A checkpoint into whose window another connection commits: SQLite's WAL-reset race, forced at every
// operation.
#include "hazard.hpp"

#include "support/fault_vfs.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <satchel/error.hpp>
#include <satchel/outbox.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <set>

using namespace hazards;
using support::FaultVfs;
using support::FileKind;
using support::FileOp;

namespace {

constexpr int kRows = 60;

/// The connection that commits in the middle of somebody else's work.
class Intruder {
 public:
  explicit Intruder(const std::string& path) : database_{path, SQLite::OPEN_READWRITE, 0} {
    database_.exec("PRAGMA wal_autocheckpoint = 0");
    sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  bool commit(int n) {
    try {
      SQLite::Statement insert{database_, "INSERT INTO rows(n, v) VALUES (?, randomblob(500))"};
      insert.bind(1, n);
      insert.exec();
      return true;
    } catch (const SQLite::Exception&) {
      return false;  // the lock is taken: this is no window
    }
  }

 private:
  SQLite::Database database_;
};

std::set<int> rows_of(const std::string& path, bool by_index) {
  SQLite::Database database{path, SQLite::OPEN_READWRITE, 1000};
  SQLite::Statement query{database, by_index ? "SELECT n FROM rows INDEXED BY by_n WHERE n > 0"
                                             : "SELECT n FROM rows NOT INDEXED"};
  std::set<int> found;
  while (query.executeStep()) found.insert(query.getColumn(0).getInt());
  return found;
}

/// What was acknowledged, in the table and in the index. An error is damage as well.
bool whole(const std::string& path, const std::set<int>& acknowledged) {
  try {
    return rows_of(path, false) == acknowledged && rows_of(path, true) == acknowledged &&
           number(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") == 0;
  } catch (const SQLite::Exception&) {
    return false;
  }
}

/// Two connections of plain SQLite that checkpoint as they like. False: rows are lost.
bool plain_sqlite_keeps_rows(const std::string& path) {
  FaultVfs faults;
  std::set<int> acknowledged;
  {
    SQLite::Database writer = plain(path);
    writer.exec("PRAGMA journal_mode = WAL");
    writer.exec("PRAGMA wal_autocheckpoint = 0; CREATE TABLE rows(n, v); CREATE INDEX by_n ON rows(n)");
    SQLite::Database other = plain(path, faults.name().c_str());
    other.exec("PRAGMA wal_autocheckpoint = 0");
    other.execAndGet("SELECT count(*) FROM rows");
    int n = 0;
    const auto insert = [&](int count) {
      for (int i = 0; i < count; ++i) {
        SQLite::Statement add{writer, "INSERT INTO rows(n, v) VALUES (?, randomblob(500))"};
        add.bind(1, ++n);
        add.exec();
        acknowledged.insert(n);
      }
    };
    insert(kRows);
    writer.exec("PRAGMA wal_checkpoint(PASSIVE)");
    bool in_window = false;
    faults.on_operation([&](FileOp op, FileKind) {
      // Between the reading of the header and the copying.
      if (op != FileOp::unfetch || in_window) return;
      in_window = true;
      insert(1);
    });
    other.exec("PRAGMA wal_checkpoint(PASSIVE)");
    faults.on_operation({});
    REQUIRE(in_window);
    insert(kRows);
    writer.exec("PRAGMA wal_checkpoint(PASSIVE)");
    insert(1);
    writer.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }
  return whole(path, acknowledged);
}

/// A life of an outbox with many checkpoints; at its `nth` operation on the files an intruder commits.
/// Operations that there were.
std::uint64_t disturbed(const std::string& path, std::uint64_t nth, bool& committed,
                        std::set<int>& acknowledged) {
  FaultVfs faults;
  satchel::Options options;
  options.vfs = faults.name();
  options.external_writers = true;
  options.checkpoint_bytes = 32U << 10U;
  options.max_wal_bytes = 64U << 10U;
  options.settle_linger = std::chrono::milliseconds{0};
  std::uint64_t seen = 0;
  satchel::Outbox outbox{path, options};
  auto sink = std::make_unique<satchel::testing::ScriptedSink>();
  sink->answer([](const satchel::Delivery&) { return satchel::delivered(); });
  outbox.attach(std::move(sink));
  const auto write = [&](int n) {
    satchel::Transaction tx = outbox.begin();
    tx.execute("CREATE TABLE IF NOT EXISTS rows(n, v)");
    tx.execute("CREATE INDEX IF NOT EXISTS by_n ON rows(n)");
    tx.execute("INSERT INTO rows(n, v) VALUES (?, randomblob(2000))", n);
    tx.enqueue({.topic = "t", .payload = std::to_string(n)});
    tx.commit();
    acknowledged.insert(n);
  };
  write(1);
  Intruder intruder{path};
  faults.on_operation([&](FileOp, FileKind) {
    if (++seen != nth) return;
    committed = intruder.commit(1000);
    if (committed) acknowledged.insert(1000);
  });
  for (int n = 2; n < 26; ++n) {
    write(n);
    outbox.run_once();
    outbox.run_once();
  }
  faults.on_operation({});
  return seen;
}

}  // namespace

TEST_CASE("hazards: a foreign commit in the window of a checkpoint loses nothing") {
  const support::TempDir dir{support::TempDir::Where::memory};
  int lost_by_plain = -1;
  if (sqlite_has("wal-reset")) {
    lost_by_plain = plain_sqlite_keeps_rows(dir.path() + "/plain.db") ? 0 : 1;
    CHECK(lost_by_plain == 1);
  } else {
    MESSAGE("this SQLite does not have the defect: no control");
  }
  const auto step = static_cast<std::uint64_t>(support::size_from_environment("TEST_FAULT_WINDOW_STEP", 7));
  std::uint64_t lives = 0;
  std::uint64_t commits = 0;
  std::uint64_t losses = 0;
  for (std::uint64_t nth = 1;; nth += step, ++lives) {
    CAPTURE(nth);
    const std::string path = dir.path() + "/box.db";
    for (const char* suffix : {"", "-wal", "-shm", "-relay"}) ::unlink((path + suffix).c_str());
    bool committed = false;
    std::set<int> acknowledged;
    if (disturbed(path, nth, committed, acknowledged) < nth) break;
    commits += committed ? 1 : 0;
    const bool kept = whole(path, acknowledged);
    CHECK(kept);
    losses += kept ? 0 : 1;
  }
  CHECK(commits > 0);
  support::Report report{"hazards", "a foreign commit at every operation of a life with checkpoints"};
  report.figure("lives", lives);
  report.figure("commits in between", commits);
  report.figure("lives with a loss", losses);
  report.figure("plain SQLite loses", lost_by_plain);
}
