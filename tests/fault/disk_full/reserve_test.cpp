// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include "support/report.hpp"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

using namespace disk_full;

namespace {

constexpr std::uint64_t kDisk = 16U << 20U;

satchel::Options with_reserve() {
  satchel::Options options = small_options();
  options.reserve = true;
  return options;
}

/// Every third is delivered, every third fails once, every third is given up.
satchel::Receipt mixed(const satchel::Delivery& delivery) {
  const int number = std::stoi(delivery.payload.substr(0, 8));
  if (number % 3 == 0) return satchel::reject("no, and here is why: " + std::string(300, 'y'));
  if (number % 3 == 1 && delivery.attempts == 0) return satchel::retry("not now");
  return satchel::delivered();
}

}  // namespace

TEST_CASE("disk full: with a reserve every enqueue within the quota and every outcome is recorded") {
  const SmallDisk disk{kDisk};
  Bench bench{disk, with_reserve()};
  int enqueued = 0;
  int restarts = 0;
  bench.open();
  bench.make_table();
  disk.fill();
  for (const std::size_t size : {std::size_t{100}, std::size_t{60'000}, std::size_t{8}, std::size_t{3000}}) {
    for (const bool deliver_only : {false, true}) {
      CAPTURE(size);
      CAPTURE(deliver_only);
      bench.answer = mixed;
      if (deliver_only) bench.answer = [](const satchel::Delivery&) { return satchel::delivered(); };
      const int went_in = bench.enqueue_until_full(size);
      CHECK(went_in > 0);
      enqueued += went_in;
      bench.relay();
      CHECK(bench.outbox->status().pending == 0);
      CHECK_MESSAGE(bench.troubles().failing_times == 0, bench.troubles().last_problem);
      if (deliver_only) bench.outbox->replay_all();
      bench.relay();
      // Full as it is, it is closed and opened again.
      CHECK(disk.free_bytes() == 0);
      bench.outbox.reset();
      disk.fill();
      bench.open();
      disk.fill();
      ++restarts;
    }
  }
  bench.compare();
  CHECK_MESSAGE(bench.troubles().failing_times == 0, bench.troubles().last_problem);
  support::Report report{"disk full", "with a reserve on a full file system"};
  report.figure("enqueued", enqueued);
  report.figure("sent", bench.sent);
  report.figure("restarts", restarts);
  report.figure("background failures", bench.troubles().failing_times);
}

TEST_CASE("disk full: with a reserve every message can fail, and die, with the longest reason") {
  const SmallDisk disk{kDisk};
  satchel::Options options = with_reserve();
  options.max_attempts = 2;
  Bench bench{disk, options};
  bench.open();
  bench.make_table();
  disk.fill();
  const int went_in = bench.enqueue_until_full(8);
  CHECK(went_in > 1000);
  bench.answer = [](const satchel::Delivery&) { return satchel::retry(std::string(5000, 'z')); };
  bench.relay(20'000);
  CHECK(bench.outbox->status().pending == 0);
  CHECK(bench.outbox->status().dead == static_cast<std::uint64_t>(went_in));
  CHECK_MESSAGE(bench.troubles().failing_times == 0, bench.troubles().last_problem);
  bench.compare();
  support::Report report{"disk full", "with a reserve, every message of a full quota dies"};
  report.figure("messages", went_in);
  report.figure("background failures", bench.troubles().failing_times);
}

TEST_CASE(
    "disk full: with a reserve a process that was killed is followed by one that goes on, full as the disk "
    "is") {
  const SmallDisk disk{kDisk};
  void* shared = ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto* acknowledged = static_cast<volatile int*>(shared);
  int kills = 0;
  for (const int length : {50, 300, 1000}) {
    const int before = *acknowledged;
    const pid_t child = ::fork();
    if (child == 0) {
      Bench bench{disk, with_reserve()};
      bench.open();
      bench.make_table();
      disk.fill();
      bench.number_from(before);
      for (int i = 0; i < length; ++i) {
        bench.enqueue(500);
        *acknowledged = *acknowledged + 1;
        if (i % 10 == 0) bench.outbox->run_once();
      }
      ::kill(::getpid(), SIGKILL);
      ::_exit(1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(*acknowledged == before + length);
    ++kills;
  }
  disk.fill();
  Bench bench{disk, with_reserve()};
  bench.open();
  CHECK(static_cast<int>(bench.rows().size()) == *acknowledged);
  bench.number_from(*acknowledged);
  CHECK(bench.enqueue_until_full(500) > 0);
  bench.relay();
  CHECK(bench.outbox->status().pending == 0);
  CHECK(bench.troubles().failing_times == 0);
  support::Report report{"disk full", "with a reserve, killed on a full file system and started again"};
  report.figure("kills", kills);
  report.figure("acknowledged before them", *acknowledged);
  report.figure("background failures", bench.troubles().failing_times);
  ::munmap(shared, sizeof(int));
}

TEST_CASE("disk full: a reserve that there is no room for is refused, and nothing is left behind") {
  const SmallDisk disk{4U << 20U};
  Bench bench{disk, with_reserve()};
  const std::uint64_t before = disk.free_bytes();
  CHECK_THROWS_AS(bench.open(), satchel::FullError);
  CHECK(disk.free_bytes() == before);
}

TEST_CASE("disk full: with a reserve neither a lack of inodes nor of blocks stops an outbox that is there") {
  SmallDisk disk{kDisk, 12};
  Bench bench{disk, with_reserve()};
  bench.open();
  bench.make_table();
  disk.fill();
  disk.use_up_inodes();
  bench.answer = mixed;
  int enqueued = 0;
  for (int lives = 0; lives < 3; ++lives) {
    enqueued += bench.enqueue_until_full(1000);
    bench.relay();
    CHECK(bench.outbox->status().pending == 0);
    bench.outbox.reset();
    disk.fill();
    bench.open();
  }
  CHECK(enqueued > 0);
  bench.compare();
  CHECK_MESSAGE(bench.troubles().failing_times == 0, bench.troubles().last_problem);
  CHECK_THROWS_AS((satchel::Outbox{disk.path() + "/other.db", with_reserve()}), satchel::FullError);
  support::Report report{"disk full", "with a reserve, out of inodes and blocks, closed and opened again"};
  report.figure("enqueued", enqueued);
  report.figure("sent", bench.sent);
  report.figure("background failures", bench.troubles().failing_times);
}

TEST_CASE(
    "disk full: with a reserve a read-only file system is told at open, and the reserve is there after") {
  const SmallDisk disk{kDisk};
  Bench bench{disk, with_reserve()};
  bench.open();
  bench.make_table();
  bench.enqueue();
  bench.outbox.reset();
  disk.read_only(true);
  try {
    bench.open();
    FAIL("the file system is read-only");
  } catch (const satchel::OpenError& error) {
    CHECK(error.hint().find("writable") != std::string::npos);
  }
  disk.read_only(false);
  disk.fill();
  bench.open();
  CHECK(bench.enqueue_until_full(500) > 0);
  bench.compare();
  CHECK_MESSAGE(bench.troubles().failing_times == 0, bench.troubles().last_problem);
}
