// SPDX-License-Identifier: MIT
//
// A checkpoint that a reader stops half-way copies pages without a sync, and SQLite counts them as done. When
// the sync of the next one fails, and the kernel forgets what it should have written, nobody writes them
// again.
#include "hazard.hpp"

#include "support/power_vfs.hpp"
#include "support/temp_dir.hpp"

#include <satchel/error.hpp>
#include <satchel/outbox.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using support::DiskOp;
using support::PowerDisk;
using support::SyncFailure;

namespace {

/// An outbox on a disk whose power can be cut, with a sink that takes nothing.
struct Device {
  Device() {
    options.vfs = vfs.name();
    options.clock = clock;
    options.on_damage = satchel::OnDamage::refuse;
    options.checkpoint_bytes = 32U << 10U;
    options.max_wal_bytes = 1U << 20U;
    open();
  }
  void open() {
    outbox.emplace(path, options);
    auto sink = std::make_unique<satchel::testing::ScriptedSink>();
    sink->refuse(satchel::down("away"));
    outbox->attach(std::move(sink));
  }
  void write(int messages) {
    for (int i = 0; i < messages; ++i) {
      outbox->enqueue({.topic = "t", .payload = std::string(3000, 'x')});
      ++written;
    }
  }
  /// The relay has nothing to do but its checkpoints.
  void rounds() {
    clock->advance(std::chrono::minutes{1});
    for (int i = 0; i < 100 && outbox->run_once(); ++i) continue;
  }
  /// What is wrong with what a cut has left.
  std::string fault_after(const PowerDisk::Image& image) {
    vfs.load(image, path);
    std::string fault;
    try {
      open();
      satchel::Transaction transaction = outbox->begin();
      SQLite::Statement check{transaction.database(), "PRAGMA integrity_check"};
      if (check.executeStep() && check.getColumn(0).getString() != "ok")
        fault = check.getColumn(0).getString();
      SQLite::Statement count{transaction.database(),
                              "SELECT count(*) FROM satchel_message WHERE length(payload) = 3000"};
      if (fault.empty() && (!count.executeStep() || count.getColumn(0).getInt() != written))
        fault = "messages are missing";
    } catch (const std::exception& error) {
      fault = error.what();
    }
    outbox.reset();
    return fault;
  }

  support::PowerVfs vfs;
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  const std::shared_ptr<satchel::testing::ManualClock> clock =
      std::make_shared<satchel::testing::ManualClock>();
  satchel::Options options;
  std::optional<satchel::Outbox> outbox;
  int written = 0;
};

}  // namespace

TEST_CASE(
    "hazards: what a checkpoint copied half-way is written again when the sync of the next one has failed") {
  Device device;
  device.rounds();
  device.write(10);
  {
    SQLite::Database reader{device.path, SQLite::OPEN_READWRITE, 0, device.vfs.name()};
    sqlite3_db_config(reader.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    reader.exec("BEGIN; SELECT count(*) FROM satchel_message");
    device.write(10);
    device.rounds();
  }
  device.write(10);
  int failed = 0;
  device.vfs.disk().on_operation([&](DiskOp op, const std::string& name) {
    if (op == DiskOp::sync && name == device.path && failed++ == 0)
      device.vfs.disk().fail_next_sync(SyncFailure::lossy);
  });
  device.rounds();
  REQUIRE(failed > 0);
  for (int i = 0; i < 3; ++i) {
    device.write(10);
    device.rounds();
  }
  // The log is begun anew, so that what was copied is nowhere else.
  device.write(3);
  std::vector<PowerDisk::Image> cuts;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    support::Dice dice{seed};
    cuts.push_back(device.vfs.disk().cut(dice));
  }
  device.vfs.disk().on_operation({});
  device.outbox.reset();
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    CAPTURE(i);
    CHECK(device.fault_after(cuts[i]).empty());
  }
}
