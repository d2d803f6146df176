// SPDX-License-Identifier: MIT
#include "support/sanitizer.hpp"
#include "support/temp_dir.hpp"

#include <satchel/error.hpp>
#include <satchel/outbox.hpp>
#include <satchel/sqlite_defects.hpp>
#include <satchel/writer.hpp>

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <fstream>
#include <memory>

namespace {

struct Unload {
  void operator()(void* library) const noexcept { ::dlclose(library); }
};

/// The sanitizers do not let a library have symbols of its own, and a SQLite inside of the program is in no
/// library that could be loaded once more.
bool can_be_loaded_twice() {
  return !support::kSanitized && satchel::sqlite_copies().front().file.find(".so") != std::string::npos;
}

}  // namespace

TEST_CASE("writer: a connection over another VFS of the same SQLite is taken") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  { const satchel::Outbox making{path}; }
  sqlite3_vfs other = *sqlite3_vfs_find(nullptr);
  other.zName = "other";
  REQUIRE(sqlite3_vfs_register(&other, 0) == SQLITE_OK);
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, "other") == SQLITE_OK);
  {
    satchel::Writer writer{database};
    CHECK(writer.enqueue({.topic = "plain", .payload = "text"}).row == 1);
  }
  sqlite3_close(database);
  sqlite3_vfs_unregister(&other);
}

TEST_CASE("writer: a connection of another copy of SQLite is refused, and one of the same is not" *
          doctest::skip(!can_be_loaded_twice())) {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  { const satchel::Outbox making{path}; }

  const std::string copy = directory.path() + "/libsqlite3-copy.so";
  // An emulator finds a library of its processor when it is opened, and not always when it is asked about.
  std::ofstream{copy, std::ios::binary}
      << std::ifstream{satchel::sqlite_copies().front().file, std::ios::binary}.rdbuf();
  const std::unique_ptr<void, Unload> library{::dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)};
  REQUIRE(library);
  CHECK(satchel::sqlite_copies().size() == 2);
  const auto open = reinterpret_cast<decltype(&sqlite3_open)>(::dlsym(library.get(), "sqlite3_open"));
  const auto close = reinterpret_cast<decltype(&sqlite3_close)>(::dlsym(library.get(), "sqlite3_close"));
  REQUIRE((open != nullptr && close != nullptr));

  sqlite3* other = nullptr;
  REQUIRE(open(path.c_str(), &other) == SQLITE_OK);
  CHECK_THROWS_WITH_AS(satchel::Writer{other}, doctest::Contains("another copy of SQLite"),
                       satchel::UsageError);
  close(other);

  sqlite3* same = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &same) == SQLITE_OK);
  {
    satchel::Writer writer{same};
    CHECK(writer.enqueue({.topic = "plain", .payload = "text"}).row == 1);
    bool told = false;
    for (const std::string& notice : writer.notices())
      told = told || notice.find("2 copies of SQLite are in this process") != std::string::npos;
    CHECK(told);
  }
  sqlite3_close(same);
}
