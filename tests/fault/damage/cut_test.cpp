// SPDX-License-Identifier: MIT
//
// The power goes while a damaged file is salvaged: before every sync and every change of a name, with what is
// synced alone, with all, and with new names for contents that are not synced. What the salvage without a cut
// has saved must be saved all the same.
#include "fault/damage/specimen.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using Names = std::map<std::string, ino_t>;
using Contents = std::map<ino_t, std::string>;
using Disk = std::map<std::string, std::string>;  // what is there after a cut

std::function<void()>& before_a_call() {
  static std::function<void()> hook;
  return hook;
}
std::function<void(int)>& after_a_sync() {
  static std::function<void(int)> hook;
  return hook;
}

template <class Call>
Call* real(const char* name) {
  return reinterpret_cast<Call*>(::dlsym(RTLD_NEXT, name));
}

int synced(const char* name, int fd) {
  if (before_a_call()) before_a_call()();
  const int result = real<int(int)>(name)(fd);
  if (result == 0 && after_a_sync()) after_a_sync()(fd);
  return result;
}

}  // namespace

// Seen by SQLite too, which is a library of its own.
#pragma GCC visibility push(default)
extern "C" {
int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
int rename(const char* from, const char* to) noexcept {
  if (before_a_call()) before_a_call()();
  return real<int(const char*, const char*)>("rename")(from, to);
}
int unlink(const char* path) noexcept {
  if (before_a_call()) before_a_call()();
  return real<int(const char*)>("unlink")(path);
}
}
#pragma GCC visibility pop

namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

/// A directory, followed from call to call.
class Follower {
 public:
  explicit Follower(std::string directory) : directory_{std::move(directory)} {
    look();
    durable_names_ = names_;
    // What was there before the device was switched on is on the disk.
    durable_ = now_;
    before_a_call() = [this] { cut(); };
    after_a_sync() = [this](int fd) { sync(fd); };
  }
  ~Follower() {
    before_a_call() = nullptr;
    after_a_sync() = nullptr;
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  const std::vector<Disk>& wrecks() const noexcept { return wrecks_; }

 private:
  void look() {
    names_.clear();
    for (const auto& entry : std::filesystem::directory_iterator{directory_}) {
      const std::string name = entry.path().filename().string();
      struct stat status {};
      // Shared memory does not outlive a boot.
      if (name.ends_with("-shm") || ::stat(entry.path().c_str(), &status) != 0) continue;
      names_[name] = status.st_ino;
      now_[status.st_ino] = bytes_of(entry.path());
      // Written without a sync and by one process alone; a file of its own kind of proof.
      if (name.ends_with("-relay")) durable_[status.st_ino] = now_[status.st_ino];
    }
  }
  void cut() {
    look();
    wrecks_.push_back(disk(names_, now_));
    wrecks_.push_back(disk(durable_names_, durable_));
    wrecks_.push_back(disk(names_, durable_));
  }
  void sync(int fd) {
    look();
    struct stat status {};
    if (::fstat(fd, &status) != 0) return;
    if (S_ISDIR(status.st_mode)) {
      durable_names_ = names_;
    } else {
      durable_[status.st_ino] = now_[status.st_ino];
    }
  }
  Disk disk(const Names& names, const Contents& contents) const {
    Disk disk;
    for (const auto& [name, inode] : names) {
      const auto known = contents.find(inode);
      const std::string& all = now_.at(inode);
      // What was never synced may be there in part.
      disk[name] = known != contents.end() ? known->second : all.substr(0, all.size() / 2);
    }
    return disk;
  }

  const std::string directory_;
  Names names_;
  Names durable_names_;
  Contents now_;
  Contents durable_;
  std::vector<Disk> wrecks_;
};

void place(const Disk& disk, const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator{directory})
    std::filesystem::remove(entry.path());
  for (const auto& [name, bytes] : disk) std::ofstream{directory + '/' + name, std::ios::binary} << bytes;
}

template <class Contents>
long missing(const Contents& wanted, const Contents& there) {
  long count = 0;
  for (const auto& [row, content] : wanted) count += there.contains(row) ? 0 : 1;
  return count;
}

TEST_CASE("damage: a power cut at any moment of a salvage loses nothing that the salvage saves") {
  satchel::Options options;
  options.check_at_open = true;
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  long salvages = 0;
  long cuts = 0;
  long again = 0;
  for (std::uint32_t round = 1; salvages < 3; ++round) {
    REQUIRE(round < 200);
    const damage::Specimen specimen = damage::make_specimen(round % 2 + 1, round % 2 == 1);
    damage::Files files = specimen.files;
    std::mt19937 random{round};
    const damage::Injury injury = damage::injure(files, random);
    files.place(path);
    const damage::Outcome whole = damage::live_on(path, options);
    if (whole.salvages.size() != 1 || !whole.failure.empty()) continue;
    ++salvages;
    files.place(path);
    std::vector<Disk> wrecks;
    {
      Follower follower{directory.path()};
      const satchel::Outbox outbox{path, options};
      wrecks = follower.wrecks();
    }
    CHECK(wrecks.size() > 9);
    for (std::size_t i = 0; i < wrecks.size(); ++i) {
      CAPTURE(round);
      CAPTURE(injury.what);
      CAPTURE(i);
      place(wrecks[i], directory.path());
      const damage::Outcome outcome = damage::live_on(path, options);
      CHECK(outcome.failure == "");
      CHECK(missing(whole.sent, outcome.sent) == 0);
      CHECK(missing(whole.dead, outcome.dead) == 0);
      CHECK(missing(whole.rows, outcome.rows) == 0);
      // The damaged file is kept for an expert, whatever comes in between.
      CHECK(bytes_of(path + ".damaged-1") == files.database);
      again += outcome.salvages.empty() ? 0 : 1;
      ++cuts;
    }
  }
  support::Report report{"damage", "power cut while a damaged file is salvaged"};
  report.figure("salvages", salvages);
  report.figure("cuts", cuts);
  report.figure("salvaged again", again);
}

}  // namespace
