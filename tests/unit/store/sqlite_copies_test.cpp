// SPDX-License-Identifier: MIT
#include "store/sqlite_copies.hpp"
#include "fixture.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>

using namespace store_test;

namespace {

struct Unload {
  void operator()(void* library) const noexcept { ::dlclose(library); }
};

std::string second_path() {
  // Not /proc/self/exe: where a loader was told to start this program, that is the loader.
  static const char in_this_program = 0;
  Dl_info place{};
  REQUIRE(::dladdr(&in_this_program, &place) != 0);
  return std::filesystem::absolute(place.dli_fname).parent_path() / "second-sqlite.so";
}

bool told(const File& file, const std::string& text) {
  for (const std::string& note : file.notes->all()) {
    if (note.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("copies: the SQLite in use is found, once, however many libraries use it") {
  const std::vector<satchel::SqliteCopy> copies = satchel::sqlite_copies();
  REQUIRE(copies.size() == 1);
  CHECK(copies.front().version == sqlite3_libversion());
  CHECK_FALSE(copies.front().file.empty());
  CHECK(satchel::store::notice_about(copies).empty());
  const File file;
  file.open();
  CHECK_FALSE(told(file, "copies of SQLite"));
}

TEST_CASE("copies: each is told with its version and where it is, as far as that is known") {
  const std::string text = satchel::store::notice_about({{"/lib/one.so", "3.40.1"}, {"", "3.51.3"}});
  CHECK(text.find(
            "2 copies of SQLite are in this process: 3.40.1 in /lib/one.so, 3.51.3 in an unknown place.") ==
        0);
}

TEST_CASE("copies: another one in a library is told at open, for as long as that is loaded") {
  std::unique_ptr<void, Unload> library{::dlopen(second_path().c_str(), RTLD_NOW | RTLD_LOCAL)};
  REQUIRE(library);
  const std::vector<satchel::SqliteCopy> copies = satchel::sqlite_copies();
  REQUIRE(copies.size() == 2);
  CHECK(copies.front().version == sqlite3_libversion());
  CHECK(copies.back().version == "3.0.0");
  CHECK(copies.back().file == second_path());
  const File file;
  file.open();
  CHECK(told(file, "2 copies of SQLite are in this process: "));
  CHECK(told(file, "3.0.0 in " + second_path()));

  library.reset();
  CHECK(satchel::sqlite_copies().size() == 1);
}
