// SPDX-License-Identifier: MIT
#include "bench.hpp"
#include "relay/inbox.hpp"
#include "relay/isolation.hpp"
#include "relay/lanes.hpp"
#include "relay/limits.hpp"
#include "relay/meter.hpp"
#include "relay/route.hpp"
#include "relay/topics.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

Loaded loaded(const std::string& key, std::int64_t row) {
  Loaded made{};
  made.message.id.row = row;
  made.message.key = key;
  made.bytes = 1;
  return made;
}

}  // namespace

TEST_CASE("inbox: one wake for all that waits, and none for nothing") {
  int wakes = 0;
  Inbox inbox{[&] { ++wakes; }};
  inbox.receipts({});
  CHECK(wakes == 0);
  inbox.receipts({Receipt{}});
  inbox.up();
  inbox.down(down("gone"));
  CHECK(wakes == 1);
  CHECK(inbox.take().size() == 3);
  inbox.up();
  CHECK(wakes == 2);
}

TEST_CASE(
    "inbox: what a sink answers beyond all measure is dropped and counted, and there is room again later") {
  Inbox inbox{[] {}};
  constexpr std::size_t most = 300'000;
  inbox.receipts(std::vector<Receipt>(most - 1));
  inbox.up();
  inbox.up();
  inbox.receipts(std::vector<Receipt>(2));
  CHECK(inbox.overflowed() == 3);
  CHECK(inbox.take().size() == 2);
  inbox.up();
  CHECK(inbox.take().size() == 1);
  CHECK(inbox.overflowed() == 3);
}

TEST_CASE("lanes: a second message of a key that is out is passed over and found again") {
  Lanes lanes{10, 10, 1000};
  REQUIRE(lanes.occupy("pump", 5));
  CHECK(lanes.occupy("pump", 5));
  CHECK_FALSE(lanes.occupy("pump", 7));
  CHECK_FALSE(lanes.occupy("pump", 9));
  CHECK_FALSE(lanes.hungry());
  lanes.free("pump", 7);
  CHECK_FALSE(lanes.hungry());
  lanes.free("pump", 5);
  REQUIRE(lanes.hungry());
  CHECK(lanes.hungry()->key == "pump");
  CHECK(lanes.hungry()->from == 7);
  lanes.feed("pump", {}, std::nullopt);
  CHECK(lanes.size() == 0);
}

TEST_CASE("lanes: one that is not out may be put back all the same") {
  Lanes lanes{10, 10, 1000};
  REQUIRE(lanes.occupy("pump", 5));
  lanes.put_back("pump", 4);
  lanes.free("pump", 5);
  REQUIRE(lanes.hungry());
  CHECK(lanes.hungry()->from == 4);
}

TEST_CASE("lanes: a key that nothing is known of is left alone") {
  Lanes lanes{10, 10, 1000};
  CHECK_FALSE(lanes.known("pump"));
  lanes.free("pump", 1);
  lanes.unload("pump");
  lanes.feed("pump", {}, 3);
  lanes.release("topic");
  CHECK(lanes.size() == 0);
  lanes.offer(loaded("pump", 4));
  CHECK(lanes.known("pump"));
  CHECK(lanes.loaded("pump", 4));
  CHECK_FALSE(lanes.loaded("pump", 5));
  CHECK_FALSE(lanes.loaded("valve", 4));
}

TEST_CASE("topics: one that is not held is left alone") {
  Topics topics;
  topics.pass_over("a", 1);
  topics.trying("a");
  topics.retry_at_once("a", BootTime{1s});
  CHECK_FALSE(topics.release("a"));
  CHECK_FALSE(topics.due(BootTime{1h}));
  CHECK_FALSE(topics.next());
}

TEST_CASE("topics: with too many held the whole route is blocked, whatever is delivered meanwhile") {
  Topics topics;
  for (std::size_t i = 0; i < Topics::kMost; ++i) {
    const std::string topic = "topic " + std::to_string(i);
    CHECK_FALSE(topics.blocks_route(topic, i));
    topics.hold(topic, 1, BootTime{1s}, i);
  }
  CHECK(topics.blocks_route("one more", 1000));
  CHECK_FALSE(topics.blocks_route("topic 0", 1000));
}

TEST_CASE("isolation: while one is watched no other has its turn, and its end ends the watch") {
  Isolation isolation;
  isolation.suspect(1, 0);
  isolation.suspect(2, 0);
  CHECK(isolation.next() == 1);
  isolation.broke(1, 10ms);
  CHECK(isolation.watching());
  CHECK_FALSE(isolation.next());
  isolation.suspect(1, 0);
  CHECK_FALSE(isolation.queued(1));
  isolation.suspect(3, 0);
  CHECK(isolation.queued(3));
  isolation.acquit(2);
  CHECK(isolation.watching());
  isolation.acquit(1);
  CHECK_FALSE(isolation.watching());
  CHECK(isolation.next() == 3);
  isolation.acquit(9);
  CHECK(isolation.waiting() == 1);
}

TEST_CASE("route: one that is wanted already goes on as it is") {
  Route route{Options{}};
  route.want(BootTime{1s});
  route.probing(BootTime{2s});
  REQUIRE(route.rise(BootTime{2s}));
  route.want(BootTime{3s});
  CHECK(route.up());
  CHECK(route.session() == 1);
}

TEST_CASE("limits: quiet hours alone are a limit, and the latest of several says when to ask again") {
  RouteOptions quiet;
  quiet.quiet = {{.from = 0h, .to = 1h}};
  CHECK(Limits{quiet}.any());
  CHECK_FALSE(Limits{RouteOptions{}}.any());
  RouteOptions bytes;
  bytes.bytes_per_second = 1;
  CHECK(Limits{bytes}.any());
  RouteOptions both = quiet;
  both.budget.bytes = 100;
  both.messages_per_second = 0.0001;
  Limits limits{both};
  const BootTime now{1s};
  const WallReading wall{WallTime{std::chrono::sys_days{std::chrono::year{2026} / 1 / 15}}, true};
  limits.take(100, now, wall);
  // The rate lasts for hours, the quiet hours for one.
  const auto next = limits.next(1, false, now, wall);
  REQUIRE(next.has_value());
  CHECK(*next > now + 2h);
}

TEST_CASE("meter: what is older than ten seconds does not count, and what is yet to come neither") {
  Meter meter;
  meter.add(BootTime{100s}, 50);
  CHECK(meter.per_second(BootTime{105s}).messages > 0);
  CHECK(meter.per_second(BootTime{110s}).messages == 0);
  // A snapshot that is a moment older than the last message.
  CHECK(meter.per_second(BootTime{99s}).bytes == 0);
}
