// SPDX-License-Identifier: MIT
//
// Closing any descriptor of a file drops the process's POSIX locks on it.
#include "hazard.hpp"

#include "support/child.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <satchel/error.hpp>
#include <satchel/outbox.hpp>
#include <satchel/testing/scripted_sink.hpp>
#include <satchel/writer.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>

#include <memory>
#include <thread>

using namespace hazards;

namespace {

/// Whether another process gets the write lock right now.
bool another_gets_the_lock(const std::string& path) {
  support::Child other{{FAULT_LOCKER, path}};
  other.say("try");
  const auto answer = other.line();
  REQUIRE(answer.has_value());
  other.close_input();
  other.wait();
  return *answer == "locked";
}

}  // namespace

TEST_CASE("hazards: nothing that satchel does drops the locks of an open transaction") {
  const support::TempDir dir;
  const std::string path = dir.path() + "/box.db";
  satchel::Options options;
  options.external_writers = true;
  options.durability = satchel::Durability::relaxed;
  satchel::Outbox outbox{path, options};
  auto sink = std::make_unique<satchel::testing::ScriptedSink>();
  sink->answer([](const satchel::Delivery&) { return satchel::delivered(); });
  outbox.attach(std::move(sink));
  outbox.enqueue({.topic = "t", .payload = "0"});
  outbox.run_once();
  bool lost_by_satchel = false;
  {
    satchel::Transaction tx = outbox.begin();
    tx.execute("CREATE TABLE rows(n)");
    tx.enqueue({.topic = "t", .payload = "1"});
    CHECK_FALSE(another_gets_the_lock(path));
    int done = 0;
    std::thread others{[&] {
      outbox.status();
      outbox.dead_letters();
      outbox.identity();
      outbox.run_once();
      ++done;
      try {
        // Another outbox of the file that is opened and closed, with its own connections.
        satchel::Outbox second{path, options};
        second.status();
      } catch (const satchel::BusyError&) {
        // It had something to write at its opening.
      }
      ++done;
    }};
    others.join();
    CHECK(done == 2);
    lost_by_satchel = another_gets_the_lock(path);
    CHECK_FALSE(lost_by_satchel);
    tx.commit();
  }
  // The control: one open and close by somebody else in the process, and another writes in the middle.
  satchel::Transaction tx = outbox.begin();
  tx.execute("INSERT INTO rows(n) VALUES (1)");
  CHECK_FALSE(another_gets_the_lock(path));
  const int fd = ::open((path + "-shm").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  ::close(fd);
  const bool lost = another_gets_the_lock(path);
  if (sqlite_has("lock-loss")) CHECK(lost);
  tx.rollback();
  support::Report report{"hazards", "locks of an open transaction while the process does everything else"};
  report.figure("lost", lost_by_satchel ? 1 : 0);
  report.figure("lost by a close of the application's own", lost ? 1 : 0);
}
