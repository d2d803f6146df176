// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/relay_file.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <filesystem>

using namespace store_test;
using std::chrono::milliseconds;

namespace {

bool readable(int fd, int timeout_ms) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, timeout_ms) == 1;
}

/// What is to be done cannot be done now: it is tried once, and again after a while.
void check_one_try(satchel::store::Store& store, const satchel::testing::ManualClock& clock) {
  int wakes = 0;
  store.on_change([&] { ++wakes; });
  store.maintain();
  // The look of the round was before that, and knew of no other try.
  CHECK(wakes == 1);
  CHECK(store.look().next == clock.now() + milliseconds{100});
  store.maintain();
  CHECK(wakes == 1);
  store.on_change({});
}

}  // namespace

TEST_CASE("watch: a commit of another process reaches the leader, and costs no write") {
  const File file;
  Later committer{[&] {
    file.open()->save(message());
    return 0;
  }};
  const auto leader = file.open();
  REQUIRE(leader->acquire());
  leader->look();
  CHECK_FALSE(leader->look().changed);
  CHECK_FALSE(leader->look().next);
  CHECK_FALSE(readable(leader->watch_descriptor(), 0));
  committer.begin();
  REQUIRE(committer.end() == 0);
  CHECK(readable(leader->watch_descriptor(), 60'000));
  CHECK(leader->look().changed);
  CHECK(pending(*leader).size() == 1);
}

TEST_CASE("watch: a foreign commit whose file event comes before it is visible is found by looking again") {
  File file;
  file.options.external_writers = true;
  const auto store = file.open();
  REQUIRE(store->acquire());
  Foreign foreign{file.path};
  foreign.exec("PRAGMA cache_spill = 1");
  foreign.exec("PRAGMA cache_size = 1");
  store->look();
  while (readable(store->watch_descriptor(), 0)) store->look();
  // The pages of the open transaction spill into the log: the event is there, the commit is not.
  foreign.exec("BEGIN IMMEDIATE");
  for (int i = 0; i < 50; ++i) {
    foreign.exec("INSERT INTO satchel_message(topic, payload) VALUES ('a', zeroblob(3000))");
  }
  REQUIRE(readable(store->watch_descriptor(), 60'000));
  CHECK_FALSE(store->look().changed);
  CHECK(pending(*store).empty());
  const auto early = store->look();
  REQUIRE(early.next);
  CHECK(*early.next - file.clock->now() <= milliseconds{2});
  // The commit itself may bring no further event: only looking again finds it.
  store->look();
  foreign.exec("COMMIT");
  std::vector<milliseconds> pauses;
  bool found = false;
  for (int i = 0; i < 9 && !found; ++i) {
    const auto look = store->look();
    found = look.changed;
    if (found) break;
    REQUIRE(look.next);
    pauses.push_back(std::chrono::duration_cast<milliseconds>(*look.next - file.clock->now()));
    file.clock->set_now(*look.next);
  }
  CHECK(found);
  CHECK(pending(*store).size() == 50);
}

TEST_CASE("watch: with external writers a look is due every polling interval, without them never") {
  for (const bool external : {false, true}) {
    File file;
    file.options.external_writers = external;
    file.options.polling_interval = milliseconds{700};
    const auto store = file.open();
    REQUIRE(store->acquire());
    store->look();
    file.clock->advance(std::chrono::seconds{2});
    for (int i = 0; i < 10; ++i) {
      const auto look = store->look();
      if (look.next) file.clock->set_now(*look.next);
    }
    const auto quiet = store->look();
    CHECK_FALSE(quiet.changed);
    CHECK(quiet.next.has_value() == external);
    if (external) CHECK(*quiet.next - file.clock->now() <= milliseconds{700});
  }
}

TEST_CASE("watch: a leader whose relay file is gone gives way at the next look, and wakes who made it anew") {
  const File file;
  const auto first = file.open();
  REQUIRE(first->acquire());
  first->look();
  ::unlink((file.path + "-relay").c_str());
  const auto second = file.open();
  second->look();
  CHECK_THROWS_AS(first->look(), satchel::ClaimLost);
  CHECK_FALSE(first->leading());
  CHECK(second->acquire());
}

TEST_CASE("watch: what others write into the log is copied while the sink is down and nothing is settled") {
  File file;
  file.options.checkpoint_bytes = 64U << 10U;
  const auto store = file.open();
  REQUIRE(store->acquire());
  store->look();
  Foreign writer{file.path};
  const std::string insert =
      "INSERT INTO satchel_message(topic, payload) VALUES ('t', '" + std::string(4000, 'x') + "')";
  std::uintmax_t most = 0;
  for (int i = 0; i < 500; ++i) {
    writer.exec(insert);
    satchel::store::touch_relay_file(file.path + "-relay");
    CHECK(store->look().changed);
    store->maintain();
    most = std::max(most, std::filesystem::file_size(file.path + "-wal"));
  }
  CHECK(most < 2 * file.options.checkpoint_bytes);
  CHECK(store->counts().pending == 500);

  // What is copied already is not copied again.
  const std::uint64_t written = store->wear().bytes;
  for (int i = 0; i < 10; ++i) {
    satchel::store::touch_relay_file(file.path + "-relay");
    store->look();
    store->maintain();
  }
  CHECK(store->wear().bytes - written < file.options.checkpoint_bytes);
}

TEST_CASE(
    "watch: a checkpoint that another process keeps up is tried again after a while, not at each event") {
  File file;
  file.options.checkpoint_bytes = 64U << 10U;
  const auto store = file.open();
  REQUIRE(store->acquire());
  satchel::store::RelayFile other{file.path + "-relay"};
  REQUIRE(other.try_lock(satchel::store::RelayByte::checkpoint));
  for (int i = 0; i < 40; ++i) store->save(message(std::string(4000, 'x')));
  check_one_try(*store, *file.clock);
  CHECK(store->settle(delivered({1})));
  CHECK_FALSE(readable(store->watch_descriptor(), 0));
  other.unlock(satchel::store::RelayByte::checkpoint);
  file.clock->advance(milliseconds{100});
  store->look();
  store->maintain();
  CHECK(satchel::store::shared_file(file.path)->wal_frames.load() == 0);
  file.clock->advance(milliseconds{100});
  CHECK_FALSE(store->look().next);
}

TEST_CASE("watch: what another writer keeps from being noted is tried again after a while, not at once") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  Foreign foreign{file.path};
  foreign.exec("BEGIN IMMEDIATE");
  file.clock->set_wall(satchel::WallTime{std::chrono::hours{500'000}}, true);
  check_one_try(*store, *file.clock);
  foreign.exec("COMMIT");
  file.clock->advance(milliseconds{100});
  store->look();
  store->maintain();
  CHECK(foreign.number("SELECT count(*) FROM satchel_boot WHERE wall_offset IS NOT NULL") == 1);
}
