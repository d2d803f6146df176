// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/relay_file.hpp"
#include "support/fault_vfs.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <filesystem>

using namespace store_test;
using support::FaultVfs;
using support::FileKind;
using support::FileOp;

namespace {

struct FaultyFile : File {
  FaultVfs faults;
  FaultyFile() { options.vfs = faults.name(); }
};

std::int64_t counter(const File& file, const std::string& name) {
  return Foreign{file.path}.number("SELECT coalesce(sum(value), 0) FROM satchel_counter WHERE name = '" +
                                   name + "'");
}

}  // namespace

TEST_CASE("faults: an unknown outcome on settle is recorded again, once, and nothing counts as vanished") {
  for (const bool at_write : {true, false}) {
    FaultyFile file;
    // With every commit synced the failing sync is that of the commit.
    const auto store = file.open();
    for (int i = 0; i < 4; ++i) store->save(message());
    REQUIRE(store->acquire());
    store->before_send({{1, 2, 3}, 3});
    satchel::Settlement settlement = delivered({1, 2});
    settlement.failures.push_back({3, 1, false, std::nullopt, std::chrono::milliseconds{0}, "no"});
    settlement.deaths.push_back({4, satchel::DeadReason::rejected, 1, "no"});
    if (!at_write) {
      // A log begun anew is synced once at its header also in the relay's mode.
      SQLite::Database other{file.path, SQLite::OPEN_READWRITE};
      other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    file.faults.fail(at_write ? FileOp::write : FileOp::sync, FileKind::log,
                     at_write ? SQLITE_IOERR_WRITE : SQLITE_IOERR_FSYNC);
    CHECK_THROWS_AS(store->settle(settlement), satchel::OutcomeUnknown);
    CHECK(file.faults.failures() == 1);
    CHECK(store->leading());
    CHECK(pending(*store).size() == 4);
    CHECK(store->settle(settlement));
    CHECK(store->settle(settlement));
    CHECK(pending(*store) == std::vector<std::int64_t>{3});
    CHECK(store->claim({}).messages.front().attempts == 1);
    CHECK(store->counts().dead == 1);
    CHECK(counter(file, "vanished") == 0);
    CHECK(counter(file, "dead:rejected") == 1);
  }
}

TEST_CASE("faults: a settle that a full disk refuses changes nothing and works when there is room") {
  FaultyFile file;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  file.faults.fail(FileOp::write, FileKind::log, SQLITE_FULL, 1, true);
  CHECK_THROWS_AS(store->settle(delivered({1})), satchel::FullError);
  CHECK(pending(*store) == std::vector<std::int64_t>{1});
  file.faults.heal();
  CHECK(store->settle(delivered({1})));
}

TEST_CASE(
    "faults: a message row is not updated on its way, and nothing at all is written before the settle") {
  FaultyFile file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  std::vector<std::int64_t> rows;
  for (int i = 0; i < 100; ++i) rows.push_back(store->save(message(std::string(100, 'p'))).row);
  file.faults.reset_traffic();
  const auto messages = store->claim({}).messages;
  REQUIRE(messages.size() == 100);
  store->before_send({rows, rows.back()});
  CHECK(file.faults.traffic().bytes_written == 0);
  CHECK(file.faults.traffic().syncs == 0);
  REQUIRE(store->settle(delivered(rows)));
  const auto settled = file.faults.traffic(FileKind::log);
  CHECK(settled.syncs == 0);
  // 100 deleted rows of 100 bytes lie on four leaves, and there are their parent and the free list: a share
  // of a page each.
  CHECK(settled.bytes_written / 100 <= 300);
}

TEST_CASE("faults: a message and its way through the file cost one insert and a share of one delete") {
  FaultyFile file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  file.faults.reset_traffic();
  std::vector<std::int64_t> rows;
  for (int i = 0; i < 100; ++i) rows.push_back(store->save(message(std::string(100, 'p'))).row);
  const auto inserted = file.faults.traffic().bytes_written;
  store->claim({});
  store->before_send({rows, rows.back()});
  REQUIRE(store->settle(delivered(rows)));
  CHECK(inserted / 100 <= 9300);
  CHECK((file.faults.traffic().bytes_written - inserted) / 100 <= 300);
}

TEST_CASE(
    "faults: a relaxed writer's messages are synced once before they are sent, a full one's need none") {
  for (const auto durability : {satchel::Durability::relaxed, satchel::Durability::full}) {
    FaultyFile file;
    file.options.durability = durability;
    const auto store = file.open();
    REQUIRE(store->acquire());
    std::vector<std::int64_t> rows;
    for (int i = 0; i < 20; ++i) rows.push_back(store->save(message()).row);
    store->claim({});
    file.faults.reset_traffic();
    store->before_send({{rows.begin(), rows.begin() + 10}, rows[9]});
    const std::uint64_t needed = durability == satchel::Durability::relaxed ? 1 : 0;
    CHECK(file.faults.traffic(FileKind::log).syncs == needed);
    CHECK(file.faults.traffic().bytes_written == 0);
    // The sync covered what was committed by then.
    store->before_send({{rows.begin() + 10, rows.end()}, rows.back()});
    CHECK(file.faults.traffic(FileKind::log).syncs == needed);
    store->before_send({{}, 0});
    const auto later = store->save(message()).row;
    store->claim({});
    file.faults.reset_traffic();
    store->before_send({{later}, later});
    CHECK(file.faults.traffic(FileKind::log).syncs == needed);
  }
}

TEST_CASE("faults: a full outbox syncs for the relaxed writer of another process") {
  FaultyFile file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  Options relaxed = file.options;
  relaxed.durability = satchel::Durability::relaxed;
  const auto other = Store::open(file.path, relaxed);
  other->save(message());
  REQUIRE(store->claim({}).messages.size() == 1);
  file.faults.reset_traffic();
  store->before_send({{1}, 1});
  CHECK(file.faults.traffic(FileKind::log).syncs == 1);
}

TEST_CASE("faults: a sync that fails before a hand-over keeps the messages back") {
  FaultyFile file;
  file.options.external_writers = true;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  store->save(message());
  store->claim({});
  file.faults.fail(FileOp::sync, FileKind::log, SQLITE_IOERR_FSYNC);
  CHECK_THROWS_AS(store->before_send({{2}, 2}), satchel::StorageError);
  file.faults.reset_traffic();
  CHECK_NOTHROW(store->before_send({{2}, 2}));
  // Once when what the failed one has covered was written again.
  CHECK(file.faults.traffic(FileKind::log).syncs == 2);
}

TEST_CASE("faults: the relay checkpoints beside its settles, with a frame of its own first") {
  FaultyFile file;
  file.options.checkpoint_bytes = 64 * 1024;
  const auto store = file.open();
  REQUIRE(store->acquire());
  for (int round = 0; round < 20; ++round) {
    std::vector<std::int64_t> rows;
    for (int i = 0; i < 10; ++i) rows.push_back(store->save(message(std::string(500, 'c'))).row);
    REQUIRE(store->settle(delivered(rows)));
  }
  CHECK(file.faults.traffic(FileKind::database).writes > 0);
  CHECK(std::filesystem::file_size(file.path + "-wal") < 256 * 1024);
  CHECK(store->counts().pending == 0);
}

TEST_CASE("faults: maintain keeps the log short while nothing is delivered, and does nothing when it is") {
  FaultyFile file;
  file.options.checkpoint_bytes = 64 * 1024;
  const auto store = file.open();
  REQUIRE(store->acquire());
  for (int i = 0; i < 200; ++i) {
    store->save(message(std::string(500, 'm')));
    store->maintain();
  }
  CHECK(std::filesystem::file_size(file.path + "-wal") < 128 * 1024);
  store->maintain();
  file.faults.reset_traffic();
  for (int i = 0; i < 10; ++i) {
    store->maintain();
    store->look();
  }
  CHECK(file.faults.traffic().bytes_written == 0);
}

TEST_CASE(
    "faults: every checkpoint has a frame of its own right before it, and the checkpoint lock around it") {
  for (const bool by_relay : {true, false}) {
    CAPTURE(by_relay);
    FaultyFile file;
    file.options.checkpoint_bytes = 32 * 1024;
    file.options.max_wal_bytes = by_relay ? std::size_t{1} << 30U : 32 * 1024;
    const auto store = file.open();
    if (by_relay) REQUIRE(store->acquire());
    bool reached = false;
    bool locked = false;
    std::uint64_t own_frames = 0;
    for (int i = 0; i < 100 && !reached; ++i) {
      if (by_relay) store->save(message(std::string(1000, 'f')));
      const auto frames = [&] {
        return static_cast<std::uint64_t>(
            Foreign{file.path}.number("SELECT value FROM satchel_state WHERE name = 'frames'"));
      };
      const std::uint64_t before = frames();
      file.faults.on_operation([&](FileOp op, FileKind kind) {
        if (op != FileOp::write || kind != FileKind::database || reached) return;
        reached = true;
        satchel::store::RelayFile other{file.path + "-relay"};
        locked = !other.try_lock(satchel::store::RelayByte::checkpoint);
        own_frames = frames() - before;
      });
      if (by_relay) {
        const auto log_writes = file.faults.traffic(FileKind::log).writes;
        store->maintain();
        CHECK((file.faults.traffic(FileKind::log).writes > log_writes) == reached);
      } else {
        store->save(message(std::string(1000, 'f')));
      }
      file.faults.on_operation({});
    }
    CHECK(reached);
    CHECK(locked);
    CHECK(own_frames == 1);
  }
}

TEST_CASE("faults: a take-over that fails at any operation leaves the claim to be had") {
  for (const FileOp op : {FileOp::write, FileOp::sync}) {
    for (std::uint64_t nth = 1; nth < 50; ++nth) {
      CAPTURE(nth);
      FaultyFile file;
      const auto store = file.open();
      store->save(message());
      file.faults.fail(op, std::nullopt, op == FileOp::write ? SQLITE_IOERR_WRITE : SQLITE_IOERR_FSYNC, nth);
      try {
        store->acquire();
      } catch (const satchel::StorageError&) {
      }
      const bool failed = file.faults.failures() > 0;
      file.faults.heal();
      if (!store->leading()) REQUIRE(store->acquire());
      CHECK(store->settle(delivered({1})));
      CHECK(pending(*store).empty());
      if (!failed) break;
    }
  }
}

TEST_CASE("faults: a claim that fails at any of its reads leaves no transaction open behind it") {
  std::uint64_t failed = 0;
  for (std::uint64_t nth = 1; nth < 40; ++nth) {
    CAPTURE(nth);
    FaultyFile file;
    file.options.cache_bytes = 16 * 1024;
    const auto store = file.open();
    const std::string payload(2000, 'x');
    for (int i = 0; i < 50; ++i) store->save({.topic = "t", .payload = payload});
    REQUIRE(store->acquire());
    file.faults.fail(FileOp::read, std::nullopt, SQLITE_IOERR_READ, nth);
    try {
      const std::size_t found = store->claim({}).messages.size();
      CHECK(found == 50);
    } catch (const satchel::StorageError&) {
      ++failed;
    }
    file.faults.heal();
    // A write would not begin in a transaction, and would not end one that only reads.
    CHECK(store->settle(delivered({1})));
    CHECK(store->claim({}).messages.front().id.row == 2);
  }
  CHECK(failed > 5);
}

TEST_CASE("faults: a reader that keeps a checkpoint from its end puts the next one off, and does no harm") {
  File file;
  file.options.checkpoint_bytes = 64U << 10U;
  file.options.max_wal_bytes = 256U << 10U;
  const auto store = file.open();
  REQUIRE(store->acquire());
  store->save(message());
  const auto log = [&] { return std::filesystem::file_size(file.path + "-wal"); };
  Foreign reader{file.path};
  reader.exec("BEGIN");
  CHECK(reader.number("SELECT count(*) FROM satchel_message") == 1);
  for (int i = 0; i < 40; ++i) {
    store->save(message(std::string(4000, 'x')));
    store->maintain();
  }
  // It grows behind the reader, who sees what he saw.
  CHECK(log() > 64U << 10U);
  CHECK(reader.number("SELECT count(*) FROM satchel_message") == 1);
  reader.exec("COMMIT");
  std::uintmax_t most = log();
  for (int i = 0; i < 200; ++i) {
    store->save(message(std::string(4000, 'x')));
    store->maintain();
  }
  CHECK(log() < most + (256U << 10U));
  CHECK(store->counts().pending == 241);
}

TEST_CASE("faults: what a look has found is told by the next one when it fails") {
  FaultyFile file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  store->look();
  REQUIRE_FALSE(store->look().changed);
  Foreign{file.path}.exec("INSERT INTO satchel_message(topic, payload, delay) VALUES ('t', 'x', 1000)");
  satchel::store::touch_relay_file(file.path + "-relay");
  file.faults.fail(FileOp::read, std::nullopt, SQLITE_IOERR_READ, 1, true);
  CHECK_THROWS_AS(store->look(), satchel::StorageError);
  file.faults.heal();
  CHECK(store->look().changed);
  CHECK_FALSE(store->look().changed);
}
