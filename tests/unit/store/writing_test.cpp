// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "support/fault_vfs.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace store_test;
using support::FaultVfs;
using support::FileKind;
using support::FileOp;

TEST_CASE("writing: rows and messages commit together or not at all") {
  const File file;
  const auto store = file.open();
  {
    const auto writing = store->begin();
    writing->database().exec("CREATE TABLE reading(v); INSERT INTO reading VALUES (1)");
    writing->enqueue(message());
    CHECK(store->current_on_this_thread() == writing.get());
    writing->commit();
    CHECK_FALSE(writing->open());
  }
  CHECK(store->current_on_this_thread() == nullptr);
  {
    const auto writing = store->begin();
    writing->database().exec("INSERT INTO reading VALUES (2)");
    writing->enqueue(message());
  }
  Foreign foreign{file.path};
  CHECK(foreign.number("SELECT count(*) FROM reading") == 1);
  CHECK(store->counts().pending == 1);
}

TEST_CASE("writing: use after the end and a second begin on one thread are usage errors") {
  const File file;
  const auto store = file.open();
  const auto writing = store->begin();
  CHECK_THROWS_AS(store->begin(), satchel::UsageError);
  CHECK_THROWS_AS(store->save(message()), satchel::UsageError);
  const auto second = file.open();
  CHECK_THROWS_AS(second->begin(), satchel::UsageError);
  writing->rollback();
  writing->rollback();
  CHECK_THROWS_AS(writing->commit(), satchel::UsageError);
  CHECK_THROWS_AS(writing->enqueue(message()), satchel::UsageError);
  CHECK_THROWS_AS(writing->database(), satchel::UsageError);
  CHECK(second->save(message()).row == 1);
}

TEST_CASE("writing: it may outlive the last other owner of its store") {
  const File file;
  auto store = file.open();
  const auto writing = store->begin();
  store.reset();
  writing->enqueue(message());
  writing->commit();
  CHECK(file.open()->counts().pending == 1);
}

TEST_CASE("writing: a refused message leaves the transaction as it was") {
  File file;
  file.options.max_transaction_messages = 2;
  const auto store = file.open();
  const auto writing = store->begin();
  CHECK(writing->enqueue(message("a")).row == 1);
  Message wrong = message();
  wrong.topic = "a/#";
  CHECK_THROWS_AS(writing->enqueue(wrong), satchel::InvalidMessage);
  CHECK(writing->enqueue(message("b")).row == 2);
  const auto full = error_of<satchel::FullError>([&] { writing->enqueue(message("c")); });
  CHECK(full.hint().find("max_transaction_messages") != std::string::npos);
  CHECK(writing->open());
  writing->commit();
  CHECK(store->counts().pending == 2);
}

TEST_CASE("writing: at the quota of the file only the enqueue fails, and settling goes on") {
  File file;
  file.options.max_file_bytes = 128 * 1024;
  const auto store = file.open();
  const auto writing = store->begin();
  writing->database().exec("CREATE TABLE reading(v); INSERT INTO reading VALUES (1)");
  std::int64_t kept = 0;
  const auto full = error_of<satchel::FullError>([&] {
    for (;;) kept = writing->enqueue(message(std::string(5000, 'q'))).row;
  });
  CHECK(full.hint().find("max_file_bytes") != std::string::npos);
  REQUIRE(writing->open());
  REQUIRE(kept > 3);
  writing->commit();
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM reading") == 1);
  CHECK(store->counts().pending == static_cast<std::uint64_t>(kept));
  REQUIRE(store->acquire());
  satchel::Settlement settlement;
  for (std::int64_t row = 1; row <= kept; ++row)
    settlement.deaths.push_back({row, satchel::DeadReason::rejected, 1, "no"});
  CHECK(store->settle(settlement));
  CHECK(store->counts().dead == static_cast<std::uint64_t>(kept));
}

TEST_CASE("writing: what is free again behind the quota can be used") {
  File file;
  file.options.max_file_bytes = 128 * 1024;
  const auto store = file.open();
  const auto fill = [&] {
    std::vector<std::int64_t> rows;
    try {
      for (;;) rows.push_back(store->save(message(std::string(5000, 'q'))).row);
    } catch (const satchel::FullError&) {
      return rows;
    }
  };
  const std::vector<std::int64_t> first = fill();
  REQUIRE(store->acquire());
  // Each dead letter is written before its message is taken away: the file grows beyond the quota.
  satchel::Settlement settlement;
  for (const std::int64_t row : first)
    settlement.deaths.push_back({row, satchel::DeadReason::rejected, 1, std::string(900, 'n')});
  REQUIRE(store->settle(settlement));
  CHECK(Foreign{file.path}.number("SELECT page_count FROM pragma_page_count") > 128 * 1024 / 4096);
  for (const satchel::DeadLetter& dead : store->dead_letters(1000, 0)) REQUIRE(store->discard(dead.id));
  CHECK(fill().size() >= first.size());
}

TEST_CASE("writing: a transaction that an error ended inside SQLite is not open and cannot be committed") {
  File file;
  const auto store = file.open();
  const auto writing = store->begin();
  writing->enqueue(message());
  writing->database().exec("ROLLBACK");
  CHECK_FALSE(writing->open());
  CHECK_THROWS_AS(writing->commit(), satchel::StorageError);
  CHECK_THROWS_AS(writing->enqueue(message()), satchel::StorageError);
  writing->rollback();
  CHECK(store->save(message()).row == 1);
}

TEST_CASE("writing: a full disk at commit rolls back and frees the gate") {
  FaultVfs faults;
  File file;
  file.options.vfs = faults.name();
  const auto store = file.open();
  const auto writing = store->begin();
  writing->enqueue(message());
  faults.fail(FileOp::write, FileKind::log, SQLITE_FULL);
  CHECK_THROWS_AS(writing->commit(), satchel::FullError);
  CHECK(faults.failures() == 1);
  CHECK_FALSE(writing->open());
  CHECK(store->counts().pending == 0);
  CHECK(store->save(message()).row == 1);
}

TEST_CASE(
    "writing: an I/O error at commit is an unknown outcome, and a fence keeps the commit from coming back") {
  FaultVfs faults;
  File file;
  file.options.vfs = faults.name();
  const auto store = file.open();
  store->save(message("before"));
  {
    const auto writing = store->begin();
    writing->enqueue(message("ghost"));
    faults.fail(FileOp::sync, FileKind::log, SQLITE_IOERR_FSYNC);
    CHECK_THROWS_AS(writing->commit(), satchel::OutcomeUnknown);
    CHECK_FALSE(writing->open());
  }
  CHECK(faults.failures() == 1);
  CHECK(store->counts().pending == 1);
  // The frames of the failed commit were written: without the fence a crash now would bring the message back.
  File crashed;
  copy_as_crashed(file.path, crashed.path);
  CHECK(crashed.open()->counts().pending == 1);
  CHECK(store->save(message("after")).row == 2);
}

TEST_CASE("writing: another process that keeps the write lock is a BusyError, and the gate is free again") {
  File file;
  file.options.busy_timeout = std::chrono::milliseconds{20};
  const auto store = file.open();
  Foreign foreign{file.path};
  foreign.exec("BEGIN IMMEDIATE");
  CHECK_THROWS_AS(store->begin(), satchel::BusyError);
  foreign.exec("COMMIT");
  CHECK(store->save(message()).row == 1);
}

TEST_CASE("writing: many threads with stores of one file never see each other as busy") {
  File file;
  file.options.busy_timeout = std::chrono::milliseconds{0};
  const auto first = file.open();
  const auto second = file.open();
  REQUIRE(first->acquire());
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Store& store = t % 2 == 0 ? *first : *second;
      for (int i = 0; i < 100; ++i) {
        try {
          store.save(message());
          if (i % 20 == 0) store.counts();
        } catch (const satchel::Error&) {
          ++failures;
        }
      }
    });
  }
  std::int64_t settled = 0;
  while (settled < 400) {
    const std::vector<std::int64_t> rows = pending(*first);
    if (rows.empty()) {
      std::this_thread::yield();
      continue;
    }
    first->before_send({rows, rows.back()});
    while (!first->settle(delivered(rows))) std::this_thread::yield();
    first->maintain();
    settled += static_cast<std::int64_t>(rows.size());
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures.load() == 0);
  CHECK(first->counts().pending == 0);
  CHECK(first->counts().newest_row == 400);
}

TEST_CASE("writing: a transaction that keeps the gate for long is reported, a short one is not") {
  const File file;
  const auto store = file.open();
  store->save(message());
  CHECK_FALSE(file.notes->any_with("held"));
  {
    const auto writing = store->begin();
    file.clock->advance(std::chrono::milliseconds{1500});
  }
  CHECK(file.notes->any_with("held 1500"));
}

TEST_CASE("writing: full durability syncs each commit, relaxed none") {
  for (const auto durability : {satchel::Durability::full, satchel::Durability::relaxed}) {
    FaultVfs faults;
    File file;
    file.options.vfs = faults.name();
    file.options.durability = durability;
    const auto store = file.open();
    store->save(message());
    faults.reset_traffic();
    for (int i = 0; i < 10; ++i) store->save(message());
    CHECK(faults.traffic(FileKind::log).syncs == (durability == satchel::Durability::full ? 10 : 0));
  }
}

TEST_CASE("writing: a commit that finds the log over its limit checkpoints, relay or not") {
  FaultVfs faults;
  File file;
  file.options.vfs = faults.name();
  file.options.checkpoint_bytes = 32 * 1024;
  file.options.max_wal_bytes = 64 * 1024;
  const auto store = file.open();
  faults.reset_traffic();
  for (int i = 0; i < 200; ++i) store->save(message(std::string(500, 'w')));
  CHECK(faults.traffic(FileKind::database).writes > 0);
  CHECK(std::filesystem::file_size(file.path + "-wal") < 128 * 1024);
  CHECK(store->counts().pending == 200);
}

TEST_CASE("writing: a child forked without exec is refused everything and harms nothing") {
  const File file;
  const auto store = file.open();
  store->save(message());
  const auto writing = store->begin();
  writing->enqueue(message());
  CHECK(in_child([&] {
          int refused = 0;
          const auto expect = [&](const auto& call) {
            try {
              call();
            } catch (const satchel::UsageError&) {
              ++refused;
            }
          };
          expect([&] { store->begin(); });
          expect([&] { store->save(message()); });
          expect([&] { store->counts(); });
          expect([&] { store->acquire(); });
          expect([&] { store->look(); });
          expect([&] { writing->enqueue(message()); });
          expect([&] { writing->commit(); });
          expect([&] { writing->database(); });
          writing->rollback();
          return refused;
        }) == 8);
  writing->commit();
  CHECK(store->counts().pending == 2);
}

TEST_CASE("writing: statements are kept for the next time only when they change rows and stand alone") {
  const File file;
  const auto store = file.open();
  const auto writing = store->begin();
  writing->execute("CREATE TABLE reading(id INTEGER PRIMARY KEY, celsius REAL)", {});
  const std::string insert = "INSERT INTO reading(celsius) VALUES (1)";
  for (int i = 0; i < 3; ++i) {
    CHECK(writing->execute(insert, {}) == 1);
    // A second statement is refused, today as well as the next time, and a comment is none.
    for (const char* more : {"DELETE FROM reading", "DELETE FROM reading; DELETE FROM reading", "rubbish"}) {
      CHECK_THROWS_AS(writing->execute(std::string{"UPDATE reading SET celsius = 2; "} + more, {}),
                      SQLite::Exception);
    }
    CHECK(writing->execute("UPDATE reading SET celsius = 2;  -- all", {}) == i + 1);
    CHECK(writing->execute("INSERT INTO reading(celsius) VALUES (3) --" + std::string(20'000, '-'), {}) == 1);
    writing->execute("DELETE FROM reading WHERE celsius = 3", {});
  }
  CHECK_THROWS_AS(writing->execute("delete", {}), SQLite::Exception);
  CHECK_THROWS_AS(writing->execute("-- nothing", {}), SQLite::Exception);
  CHECK(writing->database().execAndGet("SELECT count(*) FROM reading").getInt() == 3);
}

TEST_CASE("writing: a row that a savepoint took back is not missed at the next opening") {
  for (const auto on_restore : {satchel::OnRestore::renew, satchel::OnRestore::keep}) {
    CAPTURE(static_cast<int>(on_restore));
    File file;
    file.options.on_restore = on_restore;
    satchel::Identity identity{};
    {
      const auto store = file.open();
      identity = store->save(message()).identity;
      const auto writing = store->begin();
      writing->database().exec("SAVEPOINT mine");
      writing->enqueue(message());
      writing->database().exec("ROLLBACK TO mine; RELEASE mine");
      writing->commit();
    }
    const auto store = file.open();
    CHECK(store->identity() == identity);
    CHECK_FALSE(file.notes->any_with("not in the file any more"));
    CHECK(store->save(message()).row == 2);
  }
}

TEST_CASE("writing: a file that was deleted, moved or replaced while it was open takes no more messages") {
  const File file;
  const auto store = file.open();
  store->save(message());
  const std::string aside = file.path + ".aside";
  SUBCASE("deleted") { std::filesystem::remove(file.path); }
  SUBCASE("moved") { std::filesystem::rename(file.path, aside); }
  SUBCASE("replaced") {
    std::filesystem::rename(file.path, aside);
    std::ofstream{file.path} << "another one";
  }
  const auto refused = error_of<satchel::StorageError>([&] { store->save(message()); });
  CHECK(std::string{refused.what()}.find(file.path) != std::string::npos);
  CHECK(refused.code() == SQLITE_READONLY_DBMOVED);
  CHECK_THROWS_AS(store->acquire(), satchel::StorageError);
  if (!std::filesystem::exists(aside)) return;
  std::filesystem::rename(aside, file.path);
  CHECK(store->save(message()).row == 2);
  CHECK(store->acquire());
}
