// SPDX-License-Identifier: MIT
//
// The disk quota of a user is used up: EDQUOT, which SQLite takes for an I/O error, on a small btrfs of the
// test's own. Skipped where that cannot be had.
#define DOCTEST_CONFIG_IMPLEMENT
#include "bench.hpp"

#include "support/child.hpp"
#include "support/programs.hpp"
#include "support/report.hpp"

#include <doctest/doctest.h>

#include <cstdio>

using namespace disk_full;

namespace {

constexpr int kSkipped = 77;
constexpr std::uint64_t kImage = 128U << 20U;
constexpr const char* kQuota = "4M";

/// A folder with a quota.
class QuotaDisk {
 public:
  QuotaDisk() {
    const std::string image = dir_.path() + "/image";
    mounted_ = dir_.path() + "/mounted";
    const int fd = ::open(image.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(kImage)) != 0 || ::close(fd) != 0)
      throw std::system_error{errno, std::generic_category(), "make an image"};
    ::mkdir(mounted_.c_str(), 0700);
    run({"mkfs.btrfs", "-q", "-M", image});
    run({"mount", "-o", "loop", image, mounted_});
    run({"btrfs", "quota", "enable", mounted_});
    run({"btrfs", "subvolume", "create", path()});
    run({"btrfs", "qgroup", "limit", kQuota, path()});
    put_index_elsewhere();
  }
  ~QuotaDisk() {
    ::umount2(index().c_str(), MNT_DETACH);
    ::umount2(mounted_.c_str(), MNT_DETACH);
  }
  QuotaDisk(const QuotaDisk&) = delete;
  QuotaDisk& operator=(const QuotaDisk&) = delete;

  std::string path() const { return mounted_ + "/limited"; }
  std::string database() const { return path() + "/box.db"; }

  /// Writes until the quota says no.
  void fill() const {
    if (const int error = fill_up(filler()); error != EDQUOT)
      throw std::system_error{error, std::generic_category(), "the quota does not get full"};
  }
  /// What was deleted counts until the file system has committed that.
  void make_room() const {
    ::unlink(filler().c_str());
    run({"btrfs", "filesystem", "sync", mounted_});
    run({"btrfs", "subvolume", "sync", mounted_});
  }

 private:
  static void run(std::vector<std::string> command) {
    const std::string name = command.front();
    command.front() = support::find_program(name);
    if (command.front().empty()) throw std::runtime_error{name + " is not installed"};
    support::Child child{command};
    child.lines();
    if (child.wait() != 0) throw std::runtime_error{name + " " + command.at(1) + " failed"};
  }
  std::string filler() const { return path() + "/filler"; }
  std::string index() const { return database() + "-shm"; }

  /// SQLite maps the index of its log, and btrfs ends a process with SIGBUS that writes to a mapped page for
  /// which the quota has no room: no library can help that. The index lies outside of the quota.
  void put_index_elsewhere() const {
    const std::string elsewhere = memory_.path() + "/index";
    for (const std::string& file : {elsewhere, index()}) {
      const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0 || ::close(fd) != 0) throw std::system_error{errno, std::generic_category(), "make " + file};
    }
    if (::mount(elsewhere.c_str(), index().c_str(), nullptr, MS_BIND, nullptr) != 0)
      throw std::system_error{errno, std::generic_category(), "bind " + index()};
  }

  const support::TempDir dir_;
  const support::TempDir memory_{support::TempDir::Where::memory};
  std::string mounted_;
};

std::string why_not() {
  if (::geteuid() != 0) return "only root can mount";
  if (std::string reason = leave_the_common_mounts(); !reason.empty()) return reason;
  try {
    const QuotaDisk disk;
    disk.fill();
    disk.make_room();
    disk.fill();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("disk quota: errors say what is used up, sending stops, and room heals everything") {
  const QuotaDisk disk;
  Bench bench{disk.path(), without_quota()};
  live_through(disk, bench, {.problem = "quota", .hint = "quota"}, "a disk quota (btrfs)");
}

TEST_CASE("disk quota: a file that cannot be made leaves nothing behind that is taken for one") {
  const QuotaDisk disk;
  disk.fill();
  CHECK_THROWS_AS((satchel::Outbox{disk.database(), without_quota()}), satchel::StorageError);
  disk.make_room();
  satchel::Outbox other{disk.database(), without_quota()};
  other.enqueue({.topic = "t"});
  CHECK(other.status().pending == 1);
}

int main(int count, char** arguments) {
  if (const std::string reason = why_not(); !reason.empty()) {
    std::printf("skipped: a disk quota cannot be had here: %s\n", reason.c_str());
    return kSkipped;
  }
  return support::run_and_report(count, arguments);
}
