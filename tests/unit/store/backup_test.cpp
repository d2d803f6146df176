// SPDX-License-Identifier: MIT
//
// Copies on file systems that know less than the one of the original.
#include "fixture.hpp"

#include <satchel/error.hpp>
#include <satchel/inspect.hpp>

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace store_test;
using satchel::Inspector;

namespace {

/// What the file system of one directory cannot do.
struct Lacks {
  std::string directory{};
  // The errno that each answers with; 0: it can.
  int link = 0;
  int rename = 0;
  bool fuse = false;
};

Lacks& lacks() {
  static Lacks all;
  return all;
}

/// Back to what it can when the test is over.
struct Without {
  explicit Without(Lacks what) { lacks() = std::move(what); }
  ~Without() { lacks() = {}; }
  Without(const Without&) = delete;
  Without& operator=(const Without&) = delete;
};

bool concerned(std::string_view path) {
  return !lacks().directory.empty() && path.starts_with(lacks().directory);
}

/// With the name that it has where a file may be larger than 2 GiB, as long as it has one.
template <class Call>
Call* real(const char* large, const char* name) {
  void* found = ::dlsym(RTLD_NEXT, large);
  return reinterpret_cast<Call*>(found != nullptr ? found : ::dlsym(RTLD_NEXT, name));
}

bool fails(int error, const char* path) {
  if (error == 0 || !concerned(path)) return false;
  errno = error;
  return true;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {
int link(const char* from, const char* to) noexcept {
  if (fails(lacks().link, to)) return -1;
  return real<int(const char*, const char*)>("link", "link")(from, to);
}

int rename(const char* from, const char* to) noexcept {
  if (fails(lacks().rename, to)) return -1;
  return real<int(const char*, const char*)>("rename", "rename")(from, to);
}

int statfs(const char* path, struct statfs* status) noexcept {
  const int result = real<int(const char*, struct statfs*)>("statfs64", "statfs")(path, status);
  if (result == 0 && lacks().fuse && concerned(path)) status->f_type = 0x65735546;
  return result;
}
}
#pragma GCC visibility pop

namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{directory})
    names.push_back(entry.path().filename());
  return names;
}

}  // namespace

TEST_CASE("backup: a file system without links takes a copy, and keeps what is there") {
  const File file;
  const auto store = file.open();
  store->save(message());
  store->save(message());
  for (const int link : {EPERM, EOPNOTSUPP, ENOSYS}) {
    const support::TempDir target;
    const std::string copy = target.path() + "/copy.db";
    const Without without{{.directory = target.path(), .link = link}};
    Inspector inspector{file.path};
    CHECK(inspector.backup(copy).pending == 2);
    CHECK(names_in(target.path()) == std::vector<std::string>{"copy.db"});
    const std::string made = bytes_of(copy);
    CHECK_THROWS_AS(inspector.backup(copy), satchel::OpenError);
    CHECK(bytes_of(copy) == made);
    // Somebody makes a file of this name while it is copied.
    const std::string other = target.path() + "/other.db";
    CHECK_THROWS_AS(
        inspector.backup(other, [&](std::uint64_t, std::uint64_t) { std::ofstream{other} << "mine"; }),
        satchel::StorageError);
    CHECK(bytes_of(other) == "mine");
    CHECK(names_in(target.path()).size() == 2);
  }
}

TEST_CASE("backup: another failure to name the copy is told, and nothing is left") {
  const File file;
  const auto store = file.open();
  for (const Lacks& failure : {Lacks{.link = EACCES}, Lacks{.link = EPERM, .rename = EIO}}) {
    const support::TempDir target;
    Lacks here = failure;
    here.directory = target.path();
    const Without without{here};
    Inspector inspector{file.path};
    CHECK_THROWS_AS(inspector.backup(target.path() + "/copy.db"), satchel::StorageError);
    CHECK(names_in(target.path()).empty());
  }
}

TEST_CASE("backup: a copy may lie where an outbox may not") {
  const File file;
  const auto store = file.open();
  store->save(message());
  const support::TempDir target;
  const std::string copy = target.path() + "/copy.db";
  {
    const Without without{{.directory = target.path(), .link = EPERM, .fuse = true}};
    CHECK(Inspector{file.path}.backup(copy).pending == 1);
    CHECK_THROWS_AS(Inspector{copy}, satchel::OpenError);
    CHECK(names_in(target.path()) == std::vector<std::string>{"copy.db"});
  }
  Inspector inspector{copy};
  CHECK(inspector.report().pending == 1);
  CHECK(inspector.damage().empty());
}

TEST_CASE("backup: the place of a copy has to be there, free and writable") {
  const File file;
  const auto store = file.open();
  const support::TempDir target;
  Inspector inspector{file.path};
  CHECK_THROWS_AS(inspector.backup(target.path() + "/none/copy.db"), satchel::OpenError);
  CHECK_THROWS_AS(inspector.backup(target.path() + "/"), satchel::OpenError);
  CHECK_THROWS_AS(inspector.backup(target.path()), satchel::OpenError);
  CHECK_THROWS_AS(inspector.backup(target.path() + "/" + std::string(245, 'n')), satchel::OpenError);
  std::filesystem::create_symlink("nowhere", target.path() + "/link");
  CHECK_THROWS_AS(inspector.backup(target.path() + "/link"), satchel::OpenError);
  CHECK(names_in(target.path()) == std::vector<std::string>{"link"});
}
