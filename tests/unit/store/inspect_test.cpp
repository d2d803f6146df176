// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/figures.hpp"
#include "store/relay_file.hpp"
#include "store/relay_health.hpp"

#include <satchel/error.hpp>
#include <satchel/inspect.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace store_test;
using satchel::FileReport;
using satchel::Inspector;
using satchel::MessageQuery;
using satchel::OpenError;
using satchel::PendingMessage;
using satchel::SinkState;
using satchel::store::Connection;
using satchel::store::Figures;
using satchel::store::RelayByte;
using satchel::store::RelayFile;
using satchel::store::RelayHealth;
using satchel::store::Role;

namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

Message about(const std::string& topic, const std::string& key = {}) {
  Message made;
  made.topic = topic;
  made.payload = "x";
  made.key = key;
  return made;
}

}  // namespace

TEST_CASE("inspect: messages are found by topic, key and row, in slices, without tombstones") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  const auto store = Store::open(path, {});
  for (int number = 0; number < 6; ++number)
    store->save(about("plant/" + std::to_string(number % 3), number % 2 == 0 ? "even" : ""));
  Inspector inspector{path};
  CHECK(inspector.messages().size() == 6);
  MessageQuery query;
  query.topics = "plant/1";
  REQUIRE(inspector.messages(query).size() == 2);
  CHECK(inspector.messages(query).front().id.row == 2);
  query = {};
  query.key = "even";
  CHECK(inspector.messages(query).size() == 3);
  query.after = 3;
  CHECK(inspector.messages(query).size() == 1);
  query = {};
  query.limit = 4;
  CHECK(inspector.messages(query).back().id.row == 4);
  query.failed = true;
  CHECK(inspector.messages(query).empty());
  REQUIRE(inspector.message(3));
  CHECK(inspector.message(3)->message.payload == "x");
  CHECK_FALSE(inspector.message(7));
  // The newest row goes: its tombstone is no message.
  REQUIRE(store->acquire());
  satchel::Settlement settlement;
  settlement.delivered = {6};
  REQUIRE(store->settle(settlement));
  CHECK(inspector.messages().size() == 5);
  CHECK_FALSE(inspector.message(6));
}

TEST_CASE("inspect: what failed is told with its errors, and dead letters with theirs") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  const auto store = Store::open(path, {});
  for (int number = 0; number < 3; ++number) store->save(about("plant/x"));
  REQUIRE(store->acquire());
  satchel::Settlement settlement;
  settlement.failures = {{.row = 1, .attempts = 2, .due = std::nullopt, .error = "no answer"}};
  settlement.deaths = {{.row = 2, .attempts = 1, .error = "422 refused"}};
  REQUIRE(store->settle(settlement));
  Inspector inspector{path};
  MessageQuery failed;
  failed.failed = true;
  const std::vector<PendingMessage> messages = inspector.messages(failed);
  REQUIRE(messages.size() == 1);
  CHECK(messages.front().attempts == 2);
  CHECK(messages.front().last_error == "no answer");
  const FileReport report = inspector.report();
  CHECK(report.pending == 2);
  CHECK(report.failing == 1);
  CHECK(report.dead == 1);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures.front().text == "no answer");
  REQUIRE(report.deaths.size() == 1);
  CHECK(report.deaths.front().text == "422 refused");
  CHECK(report.relay.alive);
  REQUIRE(inspector.dead_letter(2));
  CHECK_FALSE(inspector.dead_letter(1));
  store->release();
  CHECK_FALSE(inspector.report().relay.alive);
}

TEST_CASE("inspect: looking writes nothing, and makes nothing where nothing is") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  CHECK_THROWS_AS(Inspector{path}, OpenError);
  CHECK(std::filesystem::is_empty(directory.path()));
  Store::open(path, {})->save(about("plant/x"));
  const std::string database = bytes_of(path);
  const std::string log = bytes_of(path + "-wal");
  {
    Inspector inspector{path};
    inspector.report();
    inspector.messages();
    CHECK(inspector.damage().empty());
  }
  CHECK(bytes_of(path) == database);
  CHECK(bytes_of(path + "-wal") == log);
}

TEST_CASE("inspect: a visitor neither makes a file nor begins an identity for want of the device id") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  Options visiting;
  visiting.visiting = true;
  CHECK_THROWS_AS(Store::open(path, visiting), OpenError);
  CHECK(std::filesystem::is_empty(directory.path()));
  Options own;
  own.device_id = "unit-7";
  const satchel::Identity identity = Store::open(path, own)->save(about("plant/x")).identity;
  CHECK(Store::open(path, visiting)->save(about("plant/x")).identity == identity);
  CHECK(Store::open(path, own)->identity() == identity);
  // A database of somebody else stays as it is.
  const std::string other = directory.path() + "/other.db";
  SQLite::Database{other, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE}.exec("CREATE TABLE theirs(a)");
  const std::string before = bytes_of(other);
  CHECK_THROWS_AS(Store::open(other, visiting), OpenError);
  CHECK_THROWS_AS(Inspector{other}, OpenError);
  CHECK(bytes_of(other) == before);
}

TEST_CASE("inspect: a backup holds what was there when it began, and is refused over a file") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  const auto store = Store::open(path, {});
  for (int number = 0; number < 300; ++number) {
    Message large = about("plant/x");
    large.payload = std::string(10'000, 'x');
    store->save(large);
  }
  Inspector inspector{path};
  const std::string copy = directory.path() + "/copy.db";
  int calls = 0;
  inspector.backup(copy, [&](std::uint64_t done, std::uint64_t total) {
    CHECK(done <= total);
    // Somebody commits in the middle of it.
    if (++calls == 1) store->save(about("plant/late"));
  });
  CHECK(calls > 1);
  CHECK(Inspector{copy}.report().pending == 300);
  CHECK(inspector.report().pending == 301);
  CHECK_THROWS_AS(inspector.backup(copy), OpenError);
  CHECK_FALSE(std::filesystem::exists(copy + ".part"));
}

TEST_CASE("inspect: what a relay tells of itself is read back, whole or not at all") {
  RelayHealth health;
  health.boot_id = "boot";
  health.process = 42;
  health.failure = "disk full\nmake room";
  health.sinks = {{"mqtt://broker:1883", SinkState::blocked, "not\tauthorized", 1234},
                  {"stdout:", SinkState::up, "", 5}};
  const RelayHealth read = satchel::store::decode_health(encode(health));
  CHECK(read.boot_id == "boot");
  CHECK(read.process == 42);
  CHECK(read.failure == "disk full make room");
  REQUIRE(read.sinks.size() == 2);
  CHECK(read.sinks[0].name == "mqtt://broker:1883");
  CHECK(read.sinks[0].state == SinkState::blocked);
  CHECK(read.sinks[0].problem == "not authorized");
  CHECK(read.sinks[0].since == 1234);
  CHECK(read.sinks[1].state == SinkState::up);
  // A later satchel may tell more.
  CHECK(satchel::store::decode_health("weather\tfine\n" + encode(health)).sinks.size() == 2);

  const support::TempDir directory;
  const RelayFile file{directory.path() + "/device.db-relay"};
  CHECK(file.health().empty());
  file.note_health(encode(health));
  CHECK(file.health() == encode(health));
  // More than has room is cut off and still whole; what is torn is nothing.
  file.note_health(std::string(5000, 'y'));
  CHECK(file.health() == std::string(2040, 'y'));
  {
    std::fstream torn{directory.path() + "/device.db-relay", std::ios::in | std::ios::out | std::ios::binary};
    torn.seekp(2048 + 100);
    torn.put('z');
  }
  CHECK(file.health().empty());
}

TEST_CASE("inspect: a lock is seen from outside, and no file is made by looking for it") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db-relay";
  CHECK_FALSE(RelayFile::existing(path));
  RelayFile leader{path};
  const std::optional<RelayFile> seen = RelayFile::existing(path);
  REQUIRE(seen);
  CHECK_FALSE(seen->held(RelayByte::leader));
  REQUIRE(leader.try_lock(RelayByte::leader));
  CHECK(seen->held(RelayByte::leader));
  leader.unlock(RelayByte::leader);
  CHECK_FALSE(seen->held(RelayByte::leader));
}

TEST_CASE("inspect: what a status reads of the file does not grow with the backlog") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  const auto fill = [&](int messages) {
    foreign.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                 std::to_string(messages) +
                 ") INSERT INTO satchel_message(topic, payload, priority, boot, created)"
                 " SELECT 'test/' || i, 'x', CASE i % 2 WHEN 0 THEN 1 END, 1, i FROM n");
  };
  // Counted by SQLite itself: the steps of all statements, whatever their plan is.
  const auto steps = [&] {
    Connection reader{file.path, file.options, Role::reader};
    std::uint64_t sum = 0;
    sqlite3_trace_v2(
        reader.handle(), SQLITE_TRACE_PROFILE,
        [](unsigned, void* total, void* statement, void*) {
          *static_cast<std::uint64_t*>(total) += static_cast<std::uint64_t>(
              sqlite3_stmt_status(static_cast<sqlite3_stmt*>(statement), SQLITE_STMTSTATUS_VM_STEP, 0));
          return 0;
        },
        &sum);
    const Figures figures = measure(reader, file.path, file.options.quota, *file.clock);
    CHECK(figures.counts.pending_is_bound);
    CHECK(figures.parts.urgent > 0);
    visit_topics(reader, 10'000, [](std::string_view) {});
    sqlite3_trace_v2(reader.handle(), 0, nullptr, nullptr);
    return sum;
  };
  fill(201'000);
  const std::uint64_t small = steps();
  fill(200'000);
  const std::uint64_t large = steps();
  CHECK(small > 300'000);
  CHECK(large < small + 1000);
}

TEST_CASE("inspect: a backup does not go over a file that came into being meanwhile") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  const auto store = Store::open(path, {});
  store->save(about("plant/x"));
  Inspector inspector{path};
  const std::string copy = directory.path() + "/copy.db";
  CHECK_THROWS_AS(
      inspector.backup(copy, [&](std::uint64_t, std::uint64_t) { std::ofstream{copy} << "mine"; }),
      satchel::StorageError);
  CHECK(bytes_of(copy) == "mine");
  CHECK_FALSE(std::filesystem::exists(copy + ".part"));
  std::filesystem::remove(copy);
  inspector.backup(copy);
  CHECK(Inspector{copy}.report().pending == 1);
}

TEST_CASE("inspect: a message is shown with all that its application has said about it") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  const auto store = Store::open(path, {});
  Message rich = about("plant/x", "k");
  rich.content_type = "text/plain";
  rich.headers = {{"h", "v"}};
  rich.expires_after = std::chrono::hours{1};
  rich.not_before = std::chrono::minutes{1};
  rich.retry.emplace();
  rich.retry->max_attempts = 9;
  store->save(rich);
  // Of plain SQL: its birth is unknown, and its headers are none.
  Foreign{path}.exec("INSERT INTO satchel_message(topic, payload, headers) VALUES ('a', 'x', 'no')");
  Inspector first{path};
  Inspector inspector{std::move(first)};
  const auto shown = inspector.message(1);
  REQUIRE(shown);
  CHECK(shown->message.headers == rich.headers);
  CHECK(shown->message.content_type == "text/plain");
  CHECK(shown->message.expires_after == rich.expires_after);
  CHECK(shown->message.not_before == rich.not_before);
  CHECK(shown->message.retry == rich.retry);
  CHECK(shown->delayed);
  CHECK(shown->age.has_value());
  const auto strange = inspector.message(2);
  REQUIRE(strange);
  CHECK_FALSE(strange->age.has_value());
  CHECK_FALSE(strange->damage.empty());
  MessageQuery query;
  query.failed = true;
  query.key = "k";
  CHECK(inspector.messages(query).empty());
  REQUIRE(store->acquire());
  satchel::Settlement settlement;
  settlement.failures = {
      {.row = 1, .attempts = 1, .due = satchel::system_clock()->now() + std::chrono::hours{1}, .error = "no"},
      {.row = 2, .attempts = 1, .due = satchel::system_clock()->now(), .error = "no"}};
  REQUIRE(store->settle(settlement));
  REQUIRE(inspector.messages(query).size() == 1);
  CHECK(inspector.messages(query).front().next_attempt.has_value());
  CHECK_FALSE(inspector.message(2)->next_attempt.has_value());
  // The times of an earlier boot say nothing.
  Foreign{path}.exec("UPDATE satchel_attempt SET boot = boot + 1");
  CHECK_FALSE(inspector.messages(query).front().next_attempt.has_value());
  // The one after it is another one.
  satchel::Settlement death;
  death.deaths = {{.row = 2, .attempts = 1, .error = "no"}};
  REQUIRE(store->settle(death));
  CHECK_FALSE(inspector.dead_letter(1));
  CHECK_FALSE(inspector.dead_letter(3));
  inspector = Inspector{path};
  CHECK(inspector.dead_letter(2));
}

TEST_CASE("inspect: a relay file that was made anew is looked at instead of the old one") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  auto store = Store::open(path, {});
  Inspector inspector{path};
  CHECK_FALSE(inspector.report().relay.alive);
  store.reset();
  std::filesystem::remove(path + "-relay");
  store = Store::open(path, {});
  REQUIRE(store->acquire());
  CHECK(inspector.report().relay.alive);
  std::filesystem::remove(path + "-relay");
  CHECK_FALSE(inspector.report().relay.alive);
}

TEST_CASE("inspect: a file that is no database, and one of a newer satchel, are refused") {
  const support::TempDir directory;
  const std::string other = directory.path() + "/other.db";
  std::ofstream{other} << std::string(5000, 'q');
  CHECK_THROWS_AS(Inspector{other}, OpenError);
  const std::string path = directory.path() + "/device.db";
  Store::open(path, {});
  Foreign{path}.exec("UPDATE satchel_state SET value = 999 WHERE name IN ('schema', 'schema_compatible')");
  CHECK_THROWS_AS(Inspector{path}, satchel::SchemaTooNew);
}

TEST_CASE("figures: what is left of a quota is told for what it limits") {
  for (const bool exact : {false, true}) {
    CAPTURE(exact);
    File file;
    file.options.quota = {.messages = 3, .when_full = satchel::WhenFull::drop_oldest, .exact = exact};
    const auto store = file.open();
    for (int i = 0; i < 4; ++i) store->save(about("plant/x"));
    Connection reader{file.path, file.options, Role::reader};
    const Figures figures = measure(reader, file.path, file.options.quota, *file.clock);
    CHECK(figures.dropped.quota == 1);
    const FileReport report = Inspector{file.path}.report();
    REQUIRE(report.dropped.size() == 1);
    CHECK(report.dropped.front().reason == satchel::DropReason::quota);
    CHECK(report.dropped.front().topic == "plant/x");
    CHECK(report.dropped.front().messages == 1);
    CHECK(figures.quota_left.messages == 0);
    CHECK_FALSE(figures.quota_left.bytes.has_value());
    satchel::Quota bytes;
    bytes.bytes = 1U << 30U;
    bytes.exact = exact;
    const auto left = quota_left(bytes, reader, figures.counts);
    CHECK_FALSE(left.messages.has_value());
    REQUIRE(left.bytes.has_value());
    CHECK(*left.bytes < bytes.bytes);
    CHECK_FALSE(quota_left({}, reader, figures.counts).bytes.has_value());
    CHECK(figures.oldest_age.has_value());
    // Plain SQL does not say when.
    Foreign{file.path}.exec("UPDATE satchel_message SET boot = NULL, created = NULL");
    CHECK_FALSE(measure(reader, file.path, {}, *file.clock).oldest_age.has_value());
  }
}
