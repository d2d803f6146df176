// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "store/settle.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

using namespace store_test;
using satchel::DeadReason;
using satchel::Settlement;
using std::chrono::milliseconds;

namespace {

void kill(Store& store, const std::vector<std::int64_t>& rows) {
  Settlement settlement;
  for (const std::int64_t row : rows) settlement.deaths.push_back({row, DeadReason::attempts, 5, "last"});
  REQUIRE(store.settle(settlement));
}

}  // namespace

TEST_CASE("dead letters: one keeps the whole message with its history") {
  const File file;
  const auto store = file.open();
  const satchel::WallTime now{milliseconds{1'790'000'000'000}};
  file.clock->set_wall(now, true);
  Message whole = message(std::string{"\0b", 2}, "key");
  whole.content_type = "text/plain";
  whole.headers = {{"h", "v"}};
  whole.expires_after = milliseconds{1000};
  whole.not_before = milliseconds{200};
  whole.retry.emplace();
  whole.retry->max_attempts = 5;
  const MessageId id = store->save(whole);
  REQUIRE(store->acquire());
  Settlement failed;
  failed.failures.push_back({id.row, 1, false, std::nullopt, milliseconds{0}, "first"});
  REQUIRE(store->settle(failed));
  file.clock->advance(milliseconds{250});
  kill(*store, {id.row});
  const auto letters = store->dead_letters(10, 0);
  REQUIRE(letters.size() == 1);
  const satchel::DeadLetter& letter = letters.front();
  CHECK(letter.id == id);
  CHECK(letter.message.topic == whole.topic);
  CHECK(letter.message.payload == whole.payload);
  CHECK(letter.message.key == whole.key);
  CHECK(letter.message.content_type == whole.content_type);
  CHECK(letter.message.headers == whole.headers);
  CHECK(letter.message.expires_after == whole.expires_after);
  CHECK(letter.message.not_before == whole.not_before);
  CHECK(letter.message.retry == whole.retry);
  CHECK(letter.reason == DeadReason::attempts);
  CHECK(letter.attempts == 5);
  CHECK(letter.first_error == "first");
  CHECK(letter.last_error == "last");
  CHECK(letter.created == now);
  CHECK(letter.died == now + milliseconds{250});
  CHECK(store->counts().dead == 1);
  CHECK(store->counts().pending == 0);
}

TEST_CASE("dead letters: a replayed one is pending again with its id, also when it was the newest row") {
  const File file;
  const auto store = file.open();
  const MessageId first = store->save(message("1", "k"));
  const MessageId newest = store->save(message("2"));
  REQUIRE(store->acquire());
  kill(*store, {1, 2});
  CHECK(pending(*store).empty());
  const auto rescans = store->rescans();
  int wakes = 0;
  store->on_change([&] { ++wakes; });
  CHECK(store->replay(newest));
  CHECK(wakes > 0);
  CHECK(store->rescans() != rescans);
  CHECK(store->replay(first));
  CHECK_FALSE(store->replay(first));
  const auto messages = store->claim({}).messages;
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].id == first);
  CHECK(messages[0].key == "k");
  CHECK(messages[0].attempts == 0);
  CHECK(messages[1].id == newest);
  CHECK(store->save(message()).row == 3);
  CHECK(store->counts().dead == 0);
}

TEST_CASE("dead letters: an id of another identity is not theirs") {
  const File file;
  const auto store = file.open();
  MessageId id = store->save(message());
  REQUIRE(store->acquire());
  kill(*store, {id.row});
  id.identity[0] = static_cast<std::uint8_t>(id.identity[0] ^ 1U);
  CHECK_FALSE(store->replay(id));
  CHECK_FALSE(store->discard(id));
  CHECK(store->counts().dead == 1);
}

TEST_CASE("dead letters: one with an identity that is too short is shown with what there is of it") {
  const File file;
  const auto store = file.open();
  const MessageId id = store->save(message());
  REQUIRE(store->acquire());
  kill(*store, {id.row});
  Foreign shell{file.path};
  for (const std::string bytes : {"x''", "x'0102'"}) {
    shell.exec("UPDATE satchel_dead SET identity = " + bytes);
    const auto letters = store->dead_letters(10, 0);
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].id.row == id.row);
    CHECK(letters[0].id.identity[0] == (bytes == "x''" ? 0 : 1));
    CHECK(letters[0].id.identity[15] == 0);
  }
}

TEST_CASE("dead letters: a discarded one is gone for good, and counted") {
  const File file;
  const auto store = file.open();
  const MessageId id = store->save(message());
  REQUIRE(store->acquire());
  kill(*store, {id.row});
  CHECK(store->discard(id));
  CHECK_FALSE(store->discard(id));
  CHECK(store->counts().dead == 0);
  CHECK(pending(*store).empty());
  CHECK(Foreign{file.path}.number("SELECT value FROM satchel_counter WHERE name = 'discarded'") == 1);
}

TEST_CASE("dead letters: they are listed in pages and replayed all, in slices") {
  const File file;
  const auto store = file.open();
  std::vector<std::int64_t> rows;
  {
    const auto writing = store->begin();
    for (int i = 0; i < 1203; ++i) rows.push_back(writing->enqueue(message()).row);
    writing->commit();
  }
  REQUIRE(store->acquire());
  kill(*store, rows);
  const auto page = store->dead_letters(10, 100);
  REQUIRE(page.size() == 10);
  CHECK(page.front().id.row == 101);
  CHECK(store->dead_letters(0, 0).empty());
  CHECK(store->dead_letters(5000, 0).size() == 1203);
  CHECK(store->replay_all() == 1203);
  CHECK(store->replay_all() == 0);
  CHECK(pending(*store) == rows);
}

TEST_CASE("dead letters: error texts are cut between characters at their limit") {
  using satchel::store::shortened;
  CHECK(shortened("short", 10) == "short");
  CHECK(shortened("0123456789abc", 10) == "0123456789");
  CHECK(shortened("012345678\xC3\xA9", 10) == "012345678");
  const File file;
  const auto store = file.open();
  store->save(message());
  REQUIRE(store->acquire());
  Settlement settlement;
  settlement.deaths.push_back({1, DeadReason::rejected, 1, std::string(5000, 'e')});
  REQUIRE(store->settle(settlement));
  CHECK(store->dead_letters(1, 0).front().last_error.size() == satchel::store::kMaxErrorBytes);
}

TEST_CASE("settle: every reason of a dead letter has its counter") {
  using satchel::DeadReason;
  using satchel::store::counter_of;
  CHECK(std::string{counter_of(DeadReason::rejected)} == "dead:rejected");
  CHECK(std::string{counter_of(DeadReason::attempts)} == "dead:attempts");
  CHECK(std::string{counter_of(DeadReason::age)} == "dead:age");
  CHECK(std::string{counter_of(DeadReason::crashed)} == "dead:crashed");
  CHECK(std::string{counter_of(DeadReason::damaged)} == "dead:damaged");
}

TEST_CASE("settle: runs of ids are joined") {
  using satchel::store::Run;
  using satchel::store::runs_of;
  CHECK(runs_of({}).empty());
  CHECK(runs_of({3, 1, 2, 7, 9, 8, 20}) == std::vector<Run>{{1, 3}, {7, 9}, {20, 20}});
  CHECK(runs_of({5, 5, 6}) == std::vector<Run>{{5, 6}});
  CHECK(runs_of({1, 3}) == std::vector<Run>{{1, 1}, {3, 3}});
}

TEST_CASE("settle: a message between delivered ones stays") {
  const File file;
  const auto store = file.open();
  for (int i = 0; i < 7; ++i) store->save(message());
  REQUIRE(store->acquire());
  Settlement settlement = delivered({1, 3});
  settlement.expired = {5, 7};
  REQUIRE(store->settle(settlement));
  CHECK(pending(*store) == std::vector<std::int64_t>{2, 4, 6});
}

TEST_CASE("settle: outcomes of every kind are recorded together, with their counters") {
  const File file;
  const auto store = file.open();
  for (int i = 0; i < 10; ++i) store->save(message());
  REQUIRE(store->acquire());
  Settlement settlement = delivered({1, 2, 3, 7});
  settlement.expired = {4, 5};
  settlement.failures.push_back({6, 1, true, std::nullopt, milliseconds{0}, "no"});
  settlement.deaths.push_back({8, DeadReason::damaged, 0, "unreadable"});
  REQUIRE(store->settle(settlement));
  CHECK(pending(*store) == std::vector<std::int64_t>{6, 9, 10});
  Foreign foreign{file.path};
  CHECK(foreign.number("SELECT value FROM satchel_counter WHERE name = 'expired'") == 2);
  CHECK(foreign.number("SELECT value FROM satchel_counter WHERE name = 'dead:damaged'") == 1);
  CHECK(foreign.number("SELECT count(*) FROM satchel_counter") == 2);
  CHECK(store->settle(delivered({6})));
  CHECK(foreign.number("SELECT count(*) FROM satchel_attempt") == 0);
}

TEST_CASE("counts: pending is exact up to its limit and a bound above") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  foreign.exec(
      "INSERT INTO satchel_message(topic, payload) WITH RECURSIVE n(i) AS"
      " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT 'a', 'x' FROM n");
  CHECK(store->counts().pending == 100'000);
  CHECK_FALSE(store->counts().pending_is_bound);
  foreign.exec("INSERT INTO satchel_message(topic, payload) VALUES ('a', 'x')");
  foreign.exec("DELETE FROM satchel_message WHERE id = 50");
  foreign.exec("INSERT INTO satchel_message(topic, payload) VALUES ('a', 'x')");
  CHECK(store->counts().pending == 100'002);
  CHECK(store->counts().pending_is_bound);
  CHECK(store->counts().newest_row == 100'002);
}

TEST_CASE(
    "dead letters: a death that found no message has the keys looked at again, as nothing blocks its key") {
  const File file;
  const auto store = file.open();
  const MessageId gone = store->save(message("1", "k"));
  const MessageId there = store->save(message("2", "k"));
  REQUIRE(store->acquire());
  const std::uint64_t before = store->rescans();
  Foreign{file.path}.exec("DELETE FROM satchel_message WHERE id = " + std::to_string(gone.row));
  kill(*store, {gone.row});
  CHECK(store->rescans() != before);
  const std::uint64_t after = store->rescans();
  kill(*store, {there.row});
  CHECK(store->rescans() == after);
  CHECK(store->dead_keys(10) == std::vector<std::string>{"k"});
}
