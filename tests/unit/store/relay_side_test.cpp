// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/relay_file.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>

using namespace store_test;
using satchel::ClaimLost;
using std::chrono::milliseconds;

namespace {

/// Reads one byte from a pipe; false at its end.
bool read_byte(int fd) {
  char byte = 0;
  return ::read(fd, &byte, 1) == 1;
}
bool readable(int fd, int timeout_ms) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, timeout_ms) == 1;
}

std::int64_t counter(const File& file, const std::string& name) {
  return Foreign{file.path}.number("SELECT coalesce(sum(value), 0) FROM satchel_counter WHERE name = '" +
                                   name + "'");
}

}  // namespace

TEST_CASE(
    "relay side: the relay file deleted under a living leader costs it the claim, and nothing is settled "
    "twice") {
  const File file;
  const auto first = file.open();
  for (int i = 0; i < 3; ++i) first->save(message());
  REQUIRE(first->acquire());
  first->before_send({{1, 2}, 2});
  ::unlink((file.path + "-relay").c_str());
  const auto second = file.open();
  REQUIRE(second->acquire());
  CHECK(second->settle(delivered({1})));
  CHECK(first->leading());
  CHECK_THROWS_AS(first->settle(delivered({1, 2})), ClaimLost);
  CHECK_FALSE(first->leading());
  CHECK(pending(*second) == std::vector<std::int64_t>{2, 3});
  CHECK_THROWS_AS(first->settle(delivered({2})), ClaimLost);
  CHECK_FALSE(first->acquire());
  second->release();
  CHECK(first->acquire());
}

TEST_CASE("relay side: a leader whose relay file is gone sends nothing more") {
  const File file;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  store->before_send({{1}, 1});
  ::unlink((file.path + "-relay").c_str());
  CHECK_THROWS_AS(store->before_send({{1}, 1}), ClaimLost);
  CHECK_FALSE(store->leading());
  REQUIRE(store->acquire());
  CHECK_NOTHROW(store->before_send({{1}, 1}));
}

TEST_CASE("relay side: a relay file replaced by another is noticed before the next hand-over") {
  const File file;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  ::unlink((file.path + "-relay").c_str());
  satchel::store::RelayFile{file.path + "-relay"};
  CHECK_THROWS_AS(store->before_send({{1}, 1}), ClaimLost);
}

TEST_CASE("relay side: a forked child that outlives its killed parent does not keep the claim") {
  const File file;
  file.open()->save(message());
  int leading[2];
  int hold[2];
  REQUIRE(::pipe(leading) == 0);
  REQUIRE(::pipe(hold) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    ::close(hold[1]);
    const auto store = file.open();
    if (!store->acquire()) ::_exit(1);
    store->before_send({{1}, 1});
    if (::fork() == 0) {
      // The grandchild lives until the test closes the pipe.
      ::close(leading[0]);
      const char ready = 'r';
      if (::write(leading[1], &ready, 1) != 1) ::_exit(1);
      read_byte(hold[0]);
      ::_exit(0);
    }
    read_byte(hold[0]);
    ::_exit(0);
  }
  ::close(hold[0]);
  ::close(leading[1]);
  REQUIRE(read_byte(leading[0]));
  const auto store = file.open();
  CHECK_FALSE(store->acquire());
  REQUIRE(::kill(parent, SIGKILL) == 0);
  int status = 0;
  REQUIRE(::waitpid(parent, &status, 0) == parent);
  const auto recovery = store->acquire();
  REQUIRE(recovery);
  CHECK(recovery->suspects == std::vector<std::int64_t>{1});
  ::close(hold[1]);
  CHECK_FALSE(read_byte(leading[0]));  // the grandchild has ended
  ::close(leading[0]);
}

TEST_CASE("relay side: one who stands by is told at once when the leader's process dies") {
  const File file;
  file.open()->save(message());
  int leading[2];
  REQUIRE(::pipe(leading) == 0);
  const pid_t leader = ::fork();
  if (leader == 0) {
    const auto store = file.open();
    if (!store->acquire()) ::_exit(1);
    const char ready = 'r';
    if (::write(leading[1], &ready, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  ::close(leading[1]);
  REQUIRE(read_byte(leading[0]));
  ::close(leading[0]);
  const auto store = file.open();
  CHECK_FALSE(store->acquire());
  store->look();
  store->look();
  REQUIRE(store->watch_descriptor() >= 0);
  REQUIRE(::kill(leader, SIGKILL) == 0);
  CHECK(readable(store->watch_descriptor(), 60'000));
  CHECK(store->look().changed);
  int status = 0;
  REQUIRE(::waitpid(leader, &status, 0) == leader);
  // The lock may be freed a little after the event: the looks come closer together for a while.
  bool acquired = store->acquire().has_value();
  for (int i = 0; i < 8 && !acquired; ++i) {
    const auto next = store->look().next;
    REQUIRE(next);
    CHECK(*next - file.clock->now() <= milliseconds{128});
    file.clock->set_now(*next);
    acquired = store->look().changed && store->acquire().has_value();
  }
  CHECK(acquired);
}

TEST_CASE(
    "relay side: one who stands by is told when the leader releases, and looks every five seconds anyway") {
  const File file;
  const auto leader = file.open();
  const auto standby = file.open();
  REQUIRE(leader->acquire());
  CHECK_FALSE(standby->acquire());
  standby->look();
  while (standby->watch_descriptor() >= 0 && readable(standby->watch_descriptor(), 0)) standby->look();
  for (auto look = standby->look(); look.next && *look.next - file.clock->now() < std::chrono::seconds{4};
       look = standby->look()) {
    file.clock->set_now(*look.next);
  }
  const auto quiet = standby->look();
  CHECK_FALSE(quiet.changed);
  REQUIRE(quiet.next);
  CHECK(*quiet.next - file.clock->now() <= std::chrono::seconds{5});
  leader->release();
  CHECK(readable(standby->watch_descriptor(), 60'000));
  CHECK(standby->look().changed);
  CHECK(standby->acquire());
}

TEST_CASE("relay side: an old backup restored over a newer file begins a new identity") {
  const File file;
  const std::string backup = file.directory.path() + "/backup";
  satchel::Identity before{};
  {
    const auto store = file.open();
    before = store->identity();
    for (int i = 0; i < 3; ++i) store->save(message());
    copy_as_crashed(file.path, backup);
    for (int i = 0; i < 5; ++i) store->save(message());
    REQUIRE(store->acquire());
    store->before_send({{1, 2, 3, 4, 5, 6, 7}, 7});
    store->settle(delivered({1, 2, 3, 4, 5, 6, 7}));
  }
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(backup + suffix, file.path + suffix,
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::filesystem::remove(file.path + "-shm");
  const auto store = file.open();
  CHECK(file.notes->any_with("restored"));
  const MessageId next = store->save(message());
  CHECK(next.row == 4);
  CHECK(next.identity != before);
  CHECK(next.identity == store->identity());
  REQUIRE(store->acquire());
  const auto messages = store->claim({}).messages;
  REQUIRE(messages.size() == 4);
  CHECK(messages[0].id.identity == before);
  CHECK(messages[3].id.identity == next.identity);
  // Answered once: neither the take-over nor another opening begins a further one.
  CHECK(file.open()->identity() == next.identity);
}

TEST_CASE("relay side: a backup restored while no relay file remembers it keeps its identity") {
  const File file;
  satchel::Identity before{};
  {
    const auto store = file.open();
    before = store->identity();
    store->save(message());
  }
  CHECK(file.open()->identity() == before);
}

TEST_CASE("relay side: another device id is a clone and gets its own identity, old rows keep theirs") {
  File file;
  satchel::Identity before{};
  {
    const auto store = file.open();
    before = store->save(message()).identity;
  }
  file.options.device_id = "unit 2";
  const auto store = file.open();
  const MessageId next = store->save(message());
  CHECK(next.identity != before);
  const auto messages = store->claim({}).messages;
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].id.identity == before);
  CHECK(messages[1].id == next);
  REQUIRE(store->acquire());
  store->settle(delivered({1, 2}));
  file.options.device_id = "unit 3";
  CHECK(file.open()->identity() != next.identity);
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_identity") <= 2);
}

TEST_CASE(
    "relay side: only rows that are still pending are suspects, and a failure takes its row off the note") {
  const File file;
  const std::string copy = file.directory.path() + "/copy.db";
  const auto store = file.open();
  for (int i = 0; i < 4; ++i) store->save(message());
  REQUIRE(store->acquire());
  store->before_send({{1, 2, 3}, 3});
  satchel::Settlement settlement = delivered({1});
  settlement.failures.push_back({2, 1, false, std::nullopt, milliseconds{0}, "no"});
  REQUIRE(store->settle(settlement));
  copy_as_crashed(file.path, copy);
  File crashed;
  crashed.path = copy;
  {
    const auto next = crashed.open();
    const auto recovery = next->acquire();
    REQUIRE(recovery);
    CHECK(recovery->suspects == std::vector<std::int64_t>{3});
    // Nothing in flight any more, although nothing was settled: the link broke.
    next->before_send({{}, 0});
  }
  const auto last = crashed.open();
  CHECK(last->acquire()->suspects.empty());
}

TEST_CASE(
    "relay side: the newest row deleted by somebody else in flight, and a new one: the id is not used "
    "again") {
  const File file;
  const auto store = file.open();
  store->save(message("old"));
  REQUIRE(store->acquire());
  store->before_send({{1}, 1});
  Foreign foreign{file.path};
  foreign.exec("DELETE FROM satchel_message WHERE id = 1");
  CHECK(pending(*store).empty());
  const MessageId fresh = store->save(message("new"));
  CHECK(fresh.row == 2);
  // The old acknowledgement does not take the new message.
  CHECK(store->settle(delivered({1})));
  CHECK(pending(*store) == std::vector<std::int64_t>{2});
  CHECK(counter(file, "vanished") == 1);
}

TEST_CASE("relay side: every way to empty the table leaves the newest id behind") {
  const File file;
  const auto store = file.open();
  for (int i = 0; i < 5; ++i) store->save(message());
  Foreign foreign{file.path};
  foreign.exec("DELETE FROM satchel_message");
  CHECK(store->save(message()).row == 6);
  foreign.exec("DELETE FROM satchel_message WHERE id = 6");
  foreign.exec("DELETE FROM satchel_message WHERE topic = ''");
  CHECK(store->save(message()).row == 7);
  REQUIRE(store->acquire());
  CHECK(pending(*store) == std::vector<std::int64_t>{7});
  // Superfluous tombstones go with the next outcomes, the newest stays.
  CHECK(store->settle(delivered({7})));
  CHECK(foreign.number("SELECT count(*) FROM satchel_message") == 1);
  CHECK(foreign.number("SELECT id FROM satchel_message") == 7);
  CHECK(store->counts().pending == 0);
  CHECK(store->counts().newest_row == 7);
}

TEST_CASE(
    "relay side: settling is refused while a transaction has the gate, and called for when it is free") {
  const File file;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  int wakes = 0;
  store->on_change([&] { ++wakes; });
  const auto writing = store->begin();
  CHECK_FALSE(store->settle(delivered({1})));
  CHECK(wakes == 0);
  writing->rollback();
  CHECK(wakes == 1);
  CHECK(store->settle(delivered({1})));
  CHECK(pending(*store).empty());
}

TEST_CASE("relay side: another process that writes puts settling off, then is told as busy") {
  File file;
  file.options.busy_timeout = milliseconds{200};
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  Foreign foreign{file.path};
  foreign.exec("BEGIN IMMEDIATE");
  int wakes = 0;
  store->on_change([&] { ++wakes; });
  CHECK_FALSE(store->settle(delivered({1})));
  // The look of the round was before that, and knew of no other try.
  CHECK(wakes == 1);
  const auto look = store->look();
  REQUIRE(look.next);
  CHECK(*look.next > file.clock->now());
  file.clock->set_now(*look.next);
  CHECK(store->look().changed);
  file.clock->advance(milliseconds{300});
  CHECK_THROWS_AS(store->settle(delivered({1})), satchel::BusyError);
  foreign.exec("COMMIT");
  CHECK(store->settle(delivered({1})));
}

TEST_CASE("relay side: who was sent alone is noted anew, and a suspect that is gone is none") {
  const File file;
  const auto store = file.open();
  for (int i = 0; i < 3; ++i) store->save(message());
  REQUIRE(store->acquire());
  store->before_send({{1, 2}, 2});
  store->before_send({{1, 2}, 2, 2});
  const auto record = satchel::store::RelayFile{file.path + "-relay"}.read();
  REQUIRE(record);
  CHECK(record->alone == 2);
  const File crashed;
  copy_as_crashed(file.path, crashed.path);
  Foreign{crashed.path}.exec("DELETE FROM satchel_message WHERE id = 1");
  const auto next = crashed.open();
  const auto recovery = next->acquire();
  REQUIRE(recovery);
  CHECK(recovery->suspects == std::vector<std::int64_t>{2});
  CHECK(recovery->alone == 2);
}

TEST_CASE("relay side: while another process writes, the gate is left to others between two tries") {
  const File file;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  Foreign foreign{file.path};
  foreign.exec("BEGIN IMMEDIATE");
  CHECK_FALSE(store->settle(delivered({1})));
  foreign.exec("COMMIT");
  const auto again = store->look().next;
  REQUIRE(again);
  // Nothing is tried before that.
  CHECK_FALSE(store->settle(delivered({1})));
  CHECK(store->release_due(10).occupied);
  CHECK(store->save(message()).row == 2);
  file.clock->set_now(*again);
  CHECK(store->look().changed);
  CHECK_FALSE(store->release_due(10).occupied);
  CHECK(store->settle(delivered({1})));
}
