// SPDX-License-Identifier: MIT
#include "store/connection.hpp"

#include "fixture.hpp"

#include <array>
#include <utility>

namespace {

using namespace store_test;
using satchel::Durability;
using satchel::store::Connection;
using satchel::store::Role;

std::string ask(Connection& connection, const std::string& pragma) {
  return connection.database().execAndGet("PRAGMA " + pragma).getString();
}

}  // namespace

TEST_CASE("connection: every one keeps to the rules, whatever SQLite's defaults are") {
  const File file;
  file.open();
  const std::array<std::pair<const char*, const char*>, 7> rules{{{"journal_mode", "wal"},
                                                                  {"wal_autocheckpoint", "0"},
                                                                  {"cache_spill", "0"},
                                                                  {"mmap_size", "0"},
                                                                  {"secure_delete", "2"},
                                                                  {"trusted_schema", "0"},
                                                                  {"temp_store", "2"}}};
  for (const Role role : {Role::writer, Role::relay, Role::reader}) {
    CAPTURE(static_cast<int>(role));
    Connection connection{file.path, file.options, role};
    for (const auto& rule : rules) {
      CAPTURE(rule.first);
      CHECK(ask(connection, rule.first) == rule.second);
    }
  }
}

TEST_CASE("connection: only a writer with full durability syncs every commit") {
  File file;
  file.open();
  CHECK(ask(*std::make_unique<Connection>(file.path, file.options, Role::writer), "synchronous") == "2");
  CHECK(ask(*std::make_unique<Connection>(file.path, file.options, Role::relay), "synchronous") == "1");
  file.options.durability = Durability::relaxed;
  CHECK(ask(*std::make_unique<Connection>(file.path, file.options, Role::writer), "synchronous") == "1");
}

TEST_CASE("connection: closing the last one copies nothing from the log into the file") {
  const File file;
  constexpr std::size_t large = 100'000;
  auto store = file.open();
  auto writing = store->begin();
  writing->enqueue(message(std::string(large, 'x')));
  writing->commit();
  const auto before = std::filesystem::file_size(file.path);
  REQUIRE(before < large);
  writing.reset();
  store.reset();
  CHECK(std::filesystem::file_size(file.path) == before);
  CHECK(std::filesystem::file_size(file.path + "-wal") > large);
  CHECK(pending(*file.open()).size() == 1);
}
