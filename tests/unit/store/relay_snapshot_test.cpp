// SPDX-License-Identifier: MIT
#include "store/relay_snapshot.hpp"
#include "fixture.hpp"
#include "store/ages.hpp"
#include "store/relay_file.hpp"
#include "store/relay_health.hpp"

#include <satchel/inspect.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <optional>

using namespace store_test;
using satchel::HeldBy;
using satchel::Inspector;
using satchel::RelayReport;
using satchel::SinkState;
using satchel::store::decode_snapshot;
using satchel::store::RelayFile;
using satchel::store::RelayHealth;
using satchel::store::RelayRound;
using satchel::store::RelaySnapshot;

namespace {

RelaySnapshot example(std::size_t routes = 2) {
  RelaySnapshot snapshot;
  snapshot.boot_id = "boot";
  snapshot.process = 42;
  snapshot.noted = 1000;
  snapshot.status.delivered = 7;
  snapshot.status.messages_per_second = 1.5;
  snapshot.status.wear.bytes_per_day = 123;
  snapshot.quota.messages = 10;
  snapshot.quota.exact = true;
  for (std::size_t number = 0; number < routes; ++number) {
    satchel::RouteStatus route;
    route.name = "route-" + std::to_string(number);
    route.sink_name = "mqtt://broker";
    route.sink = SinkState::up;
    route.held_by = HeldBy::budget;
    route.held_until = satchel::store::from_ms(5000);
    route.budget_used = 99;
    route.sink_problem = "line\nand\ttab";
    snapshot.status.routes.push_back(route);
    snapshot.routes.push_back({500, {"a/" + std::to_string(number), "b/#"}});
  }
  snapshot.topics_known = true;
  return snapshot;
}

}  // namespace

TEST_CASE("relay snapshot: what was told is read back") {
  const RelaySnapshot read = decode_snapshot(encode(example(), 10'000));
  CHECK(read.boot_id == "boot");
  CHECK(read.process == 42);
  CHECK(read.noted == 1000);
  CHECK(read.status.delivered == 7);
  CHECK(read.status.messages_per_second == doctest::Approx(1.5));
  CHECK(read.status.wear.bytes_per_day == 123);
  CHECK(read.quota.messages == 10);
  CHECK(read.quota.exact);
  REQUIRE(read.status.routes.size() == 2);
  CHECK(read.status.routes[1].name == "route-1");
  CHECK(read.status.routes[1].sink_problem == "line and tab");
  CHECK(read.status.routes[1].held_by == HeldBy::budget);
  CHECK(read.status.routes[1].held_until == satchel::store::from_ms(5000));
  CHECK(read.status.routes[1].budget_used == 99);
  CHECK(read.routes[1].since == 500);
  CHECK(read.routes[1].topics == std::vector<std::string>{"a/1", "b/#"});
  CHECK(read.topics_known);
}

TEST_CASE("relay snapshot: what has no room is left out by whole lines, topics first") {
  const std::string whole = encode(example(32), 100'000);
  const std::string cut = encode(example(32), whole.size() - 1);
  CHECK(cut.back() == '\n');
  CHECK_FALSE(decode_snapshot(cut).topics_known);
  CHECK(decode_snapshot(cut).status.routes.size() == 32);
  const RelaySnapshot little = decode_snapshot(encode(example(32), 500));
  CHECK(little.status.delivered == 7);
  CHECK(little.status.routes.size() < 32);
  CHECK(little.routes.size() == little.status.routes.size());
}

TEST_CASE("relay snapshot: text from anywhere is read as far as it goes") {
  const std::string text = encode(example(), 10'000);
  for (std::size_t length = 0; length < text.size(); ++length)
    CHECK(decode_snapshot(text.substr(0, length)).routes.size() <= 2);
  CHECK(decode_snapshot("route\ntopic\t99\tx\ncounts\t-1\nunknown\tx").status.routes.size() == 1);
}

TEST_CASE("relay snapshot: in the file it is whole or nothing, and leaves the records alone") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db-relay";
  const RelayFile file{path};
  CHECK(file.snapshot().empty());
  satchel::store::RelayRecord record;
  record.sequence = 2;
  for (std::int64_t row = 0; row < 60'000; ++row) record.in_flight.push_back(2 * row + 1);
  file.write(record);
  file.note_snapshot("text\n");
  CHECK(file.snapshot() == "text\n");
  REQUIRE(file.read());
  CHECK(file.read()->in_flight == record.in_flight);
  file.note_snapshot(std::string(50'000, 'y'));
  CHECK(file.snapshot() == std::string(RelayFile::kSnapshotBytes, 'y'));
  CHECK(file.read()->in_flight == record.in_flight);
  {
    std::fstream torn{path, std::ios::in | std::ios::out | std::ios::binary};
    torn.seekp(4096 + (1 << 20) - 100);
    torn.put('z');
  }
  CHECK(file.snapshot().empty());
}

TEST_CASE("relay snapshot: a round is marked by a lock that moves with it and ends with its holder") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db-relay";
  std::optional<RelayFile> relay{path};
  const std::optional<RelayFile> seen = RelayFile::existing(path);
  REQUIRE(seen);
  CHECK_FALSE(seen->marked_round());
  for (std::int64_t began = 1000; began < 1010; ++began) {
    relay->mark_round(RelayRound{began, false});
    REQUIRE(seen->marked_round());
    CHECK(seen->marked_round()->began == began);
    CHECK_FALSE(seen->marked_round()->over);
    relay->mark_round(RelayRound{began, true});
    REQUIRE(seen->marked_round());
    CHECK(seen->marked_round()->began == began);
    CHECK(seen->marked_round()->over);
  }
  relay->mark_round(std::nullopt);
  CHECK_FALSE(seen->marked_round());
  relay->mark_round(RelayRound{5, false});
  relay.reset();
  CHECK_FALSE(seen->marked_round());
}

TEST_CASE("relay snapshot: one that an older relay has come after is not believed") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  Store::open(path, {})->save({.topic = "a/0", .payload = "x"});
  const RelayFile file{path + "-relay"};
  file.note_snapshot(encode(example(), 10'000));
  RelayHealth health;
  health.boot_id = "boot";
  health.process = 42;
  health.sinks = {{"mqtt://broker", SinkState::up, "", 5}};
  file.note_health(encode(health));
  RelayReport report = Inspector{path}.report().relay;
  REQUIRE(report.routes.size() == 2);
  CHECK(report.routes[0].status.pending == 1);
  CHECK(report.routes[1].status.pending == 0);
  CHECK(report.delivered == 7);
  CHECK_FALSE_MESSAGE(report.told, "it was before this boot");
  CHECK(report.messages_per_second == 0);
  CHECK_FALSE_MESSAGE(report.quota_left.bytes, "there is no such limit");
  health.process = 43;
  file.note_health(encode(health));
  report = Inspector{path}.report().relay;
  CHECK(report.routes.empty());
  CHECK(report.delivered == 0);
  CHECK(report.sinks.size() == 1);
}
