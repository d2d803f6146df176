// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include "support/report.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

using namespace disk_full;

namespace {

constexpr std::uint64_t kDisk = 6U << 20U;

std::size_t files_in(const std::string& path) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{path}) ++count;
  return count;
}

/// Files that grow beyond so many bytes are refused, as by a quota; the signal for it is ignored.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : handler_{std::signal(SIGXFSZ, SIG_IGN)} {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("disk full: without a reserve errors are clear, sending stops, and room heals everything") {
  const SmallDisk disk{kDisk};
  Bench bench{disk, without_quota()};
  live_through(disk, bench, {.hint = "free space"}, "without a reserve");
}

TEST_CASE("disk full: a file cannot be made without an inode, and one that is there goes on") {
  SmallDisk disk{kDisk, 12};
  Bench bench{disk, without_quota()};
  bench.open();
  bench.make_table();
  bench.enqueue();
  disk.use_up_inodes();
  bench.enqueue();
  bench.relay();
  CHECK(bench.troubles().failing_times == 0);
  bench.outbox.reset();
  bench.open();
  bench.enqueue();
  bench.compare();
  const std::size_t files = files_in(disk.path());
  try {
    const satchel::Outbox other{disk.path() + "/other.db", without_quota()};
    FAIL("there is no inode");
  } catch (const satchel::FullError& error) {
    CHECK(error.problem().find("No space left") != std::string::npos);
  }
  CHECK(files_in(disk.path()) == files);
  disk.free_inodes();
  const satchel::Outbox other{disk.path() + "/other.db", without_quota()};
}

TEST_CASE("disk full: a read-only file system is told at open, and the file works again afterwards") {
  const SmallDisk disk{kDisk};
  Bench bench{disk, without_quota()};
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
  CHECK_THROWS_AS((satchel::Outbox{disk.path() + "/other.db", without_quota()}), satchel::OpenError);
  disk.read_only(false);
  bench.open();
  bench.enqueue();
  bench.compare();
}

TEST_CASE("disk full: a limit on the size of files is an error with a type, and nothing is lost by it") {
  const SmallDisk disk{kDisk};
  Bench bench{disk, without_quota()};
  bench.open();
  bench.make_table();
  int refused = 0;
  {
    const FileLimit limit{256U << 10U};
    for (int i = 0; i < 300; ++i) {
      try {
        bench.enqueue(2000);
      } catch (const satchel::FullError& error) {
        ++refused;
        CHECK(error.problem().find("size of a file") != std::string::npos);
      }
    }
    bench.relay(50);
  }
  CHECK(refused > 0);
  bench.relay();
  CHECK(bench.outbox->status().pending == 0);
  CHECK_FALSE(bench.outbox->status().failure);
  bench.enqueue(2000);
  bench.compare();
  support::Report report{"disk full", "a limit on the size of files (RLIMIT_FSIZE)"};
  report.figure("acknowledged", bench.acknowledged.size());
  report.figure("refused", refused);
}
