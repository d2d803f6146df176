// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <doctest/doctest.h>
#include <poll.h>

using namespace store_test;
using std::chrono::milliseconds;

namespace {

bool readable(int fd, int timeout_ms) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, timeout_ms) == 1;
}

}  // namespace

TEST_CASE("watch: a commit of another process reaches the leader, and costs no write") {
  const File file;
  const auto leader = file.open();
  REQUIRE(leader->acquire());
  leader->look();
  CHECK_FALSE(leader->look().changed);
  CHECK_FALSE(leader->look().next);
  CHECK_FALSE(readable(leader->watch_descriptor(), 0));
  REQUIRE(in_child([&] {
            file.open()->save(message());
            return 0;
          }) == 0);
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
