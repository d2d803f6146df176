// SPDX-License-Identifier: MIT
#include "fixture.hpp"
#include "support/fault_vfs.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace store_test;
using namespace std::chrono_literals;
using satchel::Priority;
using Rows = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

namespace {

Message last_value(const std::string& payload, const std::string& key = "k") {
  Message made = message(payload, key);
  made.coalesce = true;
  return made;
}

}  // namespace

TEST_CASE("enqueue: a plain message leaves the columns of the policies empty, another fills what it uses") {
  const File file;
  const auto store = file.open();
  Message plain = message();
  plain.priority = Priority::normal;
  plain.not_before = 0ms;
  plain.retry = satchel::RetryPolicy{};
  plain.coalesce = false;
  store->save(plain);
  Message rich = message("x", "k");
  rich.priority = Priority::urgent;
  rich.not_before = 1500ms;
  rich.expires_after = 1h;
  rich.retry.emplace();
  rich.retry->max_attempts = 9;
  store->save(rich);
  Foreign foreign{file.path};
  CHECK(
      foreign.number("SELECT count(*) FROM satchel_message WHERE id = 1 AND coalesce(priority, delay, retry,"
                     " sequence, key) IS NULL") == 1);
  CHECK(foreign.text("SELECT priority || ' ' || delay || ' ' || ttl || ' ' || retry FROM satchel_message"
                     " WHERE id = 2") == "1 1500 3600000 n9");
  CHECK(pending(*store) == Rows{1});
  satchel::ClaimQuery query;
  query.row = 2;
  const auto found = store->claim(query).messages;
  REQUIRE(found.size() == 1);
  CHECK(found.front().priority == Priority::urgent);
  CHECK(found.front().retry == rich.retry);
}

TEST_CASE("enqueue: the rule of the topic fills in what the message leaves open") {
  File file;
  file.options.topics = {
      {.filter = "test/#", .priority = Priority::bulk, .not_before = 5s, .coalesce = true}};
  const auto store = file.open();
  store->save(message("1", "k"));
  store->save(message("2", "k"));
  Message own = message("3");
  own.priority = Priority::urgent;
  own.not_before = 0ms;
  store->save(own);
  Foreign foreign{file.path};
  CHECK(
      foreign.text("SELECT group_concat(id || ':' || ifnull(priority, '-') || ':' || ifnull(delay, '-'), ' ')"
                   " FROM satchel_message") == "2:2:5000 3:1:-");
  CHECK(drops(*store) == Texts{"coalesced test/topic 1/0"});
}

TEST_CASE("enqueue: a delayed message is looked for at once when its transaction commits") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  CHECK_FALSE(store->look().next.has_value());
  Message later = message();
  later.not_before = 10s;
  store->save(later);
  CHECK(store->look().next == file.clock->now() + 10s);
  file.clock->advance(10s);
  CHECK(store->look().due);
  REQUIRE(store->release_due(10).rows.size() == 1);
  CHECK(pending(*store) == Rows{1});
}

TEST_CASE("coalesce: the last value of a key and topic takes the place of those that wait") {
  const File file;
  const auto store = file.open();
  store->save(last_value("1"));
  store->save(last_value("other", "l"));
  Message elsewhere = last_value("elsewhere");
  elsewhere.topic = "other/topic";
  store->save(elsewhere);
  store->save(message("plain", "k"));
  CHECK(store->save(last_value("2")).row == 5);
  CHECK(pending(*store) == Rows{2, 3, 5});
  CHECK(drops(*store) == Texts{"coalesced test/topic 2/0"});
  CHECK(file.notes->any_with("dropped coalesced test/topic 2"));
  for (int i = 0; i < 100; ++i) store->save(last_value(std::to_string(i)));
  CHECK(pending(*store) == Rows{2, 3, 105});
  // Nothing is left behind where no relay ever comes by.
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_message") == 3);
}

TEST_CASE("coalesce: what the transaction has dropped is back after a rollback, and nobody is told") {
  const File file;
  const auto store = file.open();
  store->save(last_value("1"));
  {
    const auto writing = store->begin();
    writing->enqueue(last_value("2"));
  }
  CHECK(pending(*store) == Rows{1});
  CHECK(drops(*store).empty());
  CHECK_FALSE(file.notes->any_with("dropped"));
  CHECK(store->save(last_value("3")).row == 2);
  CHECK(pending(*store) == Rows{2});
}

TEST_CASE("coalesce: what is with a sink, or was tried before, is left alone") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  for (int i = 1; i <= 3; ++i) store->save(message("x", "k"));
  CHECK(store->before_send({{1}, 1}).empty());
  satchel::Settlement failed;
  failed.failures.push_back({2, 1, false, std::nullopt, 0ms, "no"});
  REQUIRE(store->settle(failed));
  store->save(last_value("new"));
  CHECK(pending(*store) == Rows{1, 2, 4});
  REQUIRE(store->settle(delivered({1})));
  CHECK(pending(*store) == Rows{2, 4});
}

TEST_CASE(
    "coalesce: a message that a transaction is dropping is not sent, and comes back after its rollback") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  store->save(last_value("1"));
  store->save(message("2"));
  {
    const auto writing = store->begin();
    writing->enqueue(last_value("3"));
    CHECK(store->before_send({{1, 2}, 2}) == Rows{1});
  }
  CHECK(store->before_send({{1, 2}, 2}).empty());
  CHECK(store->save(last_value("4")).row == 3);
  CHECK(pending(*store) == Rows{1, 2, 3});
}

TEST_CASE("coalesce: a message that was read before it was dropped is not sent after the commit either") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  store->save(last_value("1"));
  CHECK(pending(*store) == Rows{1});
  store->save(last_value("2"));
  CHECK(store->before_send({{1, 2}, 2}) == Rows{1});
  CHECK(store->before_send({{2}, 2}).empty());
}

TEST_CASE("coalesce: what a relay of another process has with a sink is left alone") {
  const File file;
  int ready[2];
  int go[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(go) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(go[1]);
    const auto relay = Store::open(file.path, file.options);
    relay->save(last_value("1"));
    if (!relay->acquire()) ::_exit(1);
    relay->before_send({{1}, 1});
    char byte = 'r';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(2);
    if (::read(go[0], &byte, 1) < 0) ::_exit(3);
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  const auto store = file.open();
  store->save(last_value("2"));
  CHECK(pending(*store) == Rows{1, 2});
  ::close(go[1]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  // The relay has died and may have sent it.
  store->save(last_value("3"));
  CHECK(pending(*store) == Rows{1, 3});
  CHECK(drops(*store) == Texts{"coalesced test/topic 1/0"});
}

TEST_CASE("coalesce: an enqueue that fails drops nothing") {
  File file;
  support::FaultVfs faults;
  file.options.vfs = faults.name();
  file.options.max_file_bytes = 256 * 1024;
  const auto store = file.open();
  store->save(last_value("1"));
  const auto writing = store->begin();
  CHECK_THROWS_AS(writing->enqueue(last_value(std::string(900'000, 'x'))), satchel::FullError);
  REQUIRE(writing->open());
  writing->commit();
  CHECK(pending(*store) == Rows{1});
  CHECK(drops(*store).empty());
}

TEST_CASE("coalesce: one enqueue replaces a thousand messages at most, the next ones the rest") {
  const File file;
  const auto store = file.open();
  Foreign{file.path}.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT INTO"
      " satchel_message(topic, payload, key) SELECT 'test/topic', 'x', 'k' FROM n");
  store->save(last_value("a"));
  CHECK(pending(*store).size() == 1501);
  store->save(last_value("b"));
  store->save(last_value("c"));
  CHECK(pending(*store) == Rows{2503});
}

TEST_CASE("coalesce: a new value that has no room is given up by choice, and the old one stays") {
  File file;
  file.options.quota.exact = true;
  file.options.quota.bytes = 100;
  file.options.quota.when_full = satchel::WhenFull::drop_newest;
  const auto store = file.open();
  store->save(last_value("1"));
  CHECK(store->save(last_value(std::string(200, 'x'))).row == 0);
  CHECK(pending(*store) == Rows{1});
  CHECK(drops(*store) == Texts{"quota test/topic 1/0"});
  CHECK(store->save(last_value("2")).row == 2);
  CHECK(drops(*store) == Texts{"quota test/topic 1/0", "coalesced test/topic 1/0"});
}

TEST_CASE("enqueue: a delay of nothing makes nobody look for it") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  Message now = message();
  now.not_before = 0ms;
  store->save(now);
  CHECK_FALSE(store->look().next.has_value());
  CHECK(pending(*store) == Rows{1});
}

TEST_CASE("enqueue: a retry policy alone is kept, and several delays in one transaction as well") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  Message stubborn = message();
  stubborn.retry.emplace();
  stubborn.retry->max_attempts = 9;
  Message later = message();
  later.not_before = 10s;
  const auto writing = store->begin();
  writing->enqueue(stubborn);
  for (int i = 0; i < 2; ++i) writing->enqueue(later);
  writing->commit();
  CHECK(store->claim({}).messages.front().retry == stubborn.retry);
  CHECK(store->look().next == file.clock->now() + 10s);
}

TEST_CASE("enqueue: one limit alone is a limit") {
  using satchel::Quota;
  Quota share_of_bulk;
  share_of_bulk.exact = true;
  share_of_bulk.bulk.bytes = 10;
  Quota share_of_normal;
  share_of_normal.exact = true;
  share_of_normal.normal.messages = 1;
  Quota share_of_urgent;
  share_of_urgent.exact = true;
  share_of_urgent.urgent.bytes = 10;
  Quota free;
  free.keep_free = 1ULL << 60U;
  for (const Quota& quota : {share_of_bulk, share_of_normal, share_of_urgent, free}) {
    File file;
    file.options.quota = quota;
    const auto store = file.open();
    Message large = message("too many bytes");
    const auto fill = [&] {
      for (const Priority priority : {Priority::bulk, Priority::urgent}) {
        large.priority = priority;
        store->save(large);
      }
      for (int i = 0; i < 2; ++i) store->save(message());
    };
    CHECK_THROWS_AS(fill(), satchel::QuotaExceeded);
  }
  // A delayed message takes more pages of the file than another one.
  File file;
  file.options.quota.bytes = 1U << 20U;
  Message later = message();
  later.not_before = 10s;
  CHECK(file.open()->save(later).row == 1);
}
