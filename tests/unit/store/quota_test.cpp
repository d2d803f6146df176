// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace store_test;
using satchel::Priority;
using satchel::QuotaExceeded;
using satchel::WhenFull;
using Rows = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

namespace {

Message of(Priority priority, const std::string& payload = "x") {
  Message made = message(payload);
  made.priority = priority;
  return made;
}

void fill(Store& store, int count, const Message& what = message()) {
  for (int i = 0; i < count; ++i) store.save(what);
}

std::int64_t messages_in(const File& file) {
  return Foreign{file.path}.number("SELECT count(*) FROM satchel_message WHERE topic <> ''");
}

/// Fills the file with urgent messages and some normal ones behind them; the lowest make room.
void crowd(File& file, int urgent, int normal) {
  file.options.quota.exact = true;
  file.open();
  const auto add = [&](int count, const char* priority) {
    Foreign{file.path}.exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(count) +
        ") INSERT INTO satchel_message(topic, payload, priority) SELECT 'a', 'x', " + priority + " FROM n");
  };
  add(urgent, "1");
  add(normal, "NULL");
  file.options.quota.messages = static_cast<std::uint64_t>(urgent + normal);
  file.options.quota.when_full = WhenFull::drop_lowest;
}

std::string normal_rows(const File& file) {
  return Foreign{file.path}.text(
      "SELECT coalesce(group_concat(id), '') FROM satchel_message WHERE topic <> '' AND priority IS NULL");
}

/// What the triggers have counted, beside what is there.
void check_counts(const File& file) {
  Foreign foreign{file.path};
  CHECK(foreign.text(
            "SELECT group_concat(priority || ':' || messages || ':' || bytes, ' ') FROM satchel_quota") ==
        foreign.text("SELECT group_concat(p || ':' || (SELECT count(*) || ':' || coalesce(sum("
                     "length(CAST(topic AS BLOB)) + length(CAST(payload AS BLOB)) + coalesce(length(CAST(key "
                     "AS BLOB)), 0)"
                     " + coalesce(length(content_type), 0) + coalesce(length(headers), 0)), 0)"
                     " FROM satchel_message WHERE topic <> '' AND CASE WHEN priority IN (1, 2) THEN priority"
                     " ELSE 0 END = p), ' ') FROM (SELECT 0 AS p UNION SELECT 1 UNION SELECT 2)"));
}

}  // namespace

TEST_CASE("quota: at the limit an enqueue is rejected, and the transaction is the caller's") {
  File file;
  file.options.quota.messages = 3;
  const auto store = file.open();
  fill(*store, 2);
  const auto writing = store->begin();
  CHECK(writing->enqueue(message()).row == 3);
  const auto error = error_of<QuotaExceeded>([&] { writing->enqueue(message()); });
  CHECK(error.problem().find("quota.messages is 3") != std::string::npos);
  REQUIRE(writing->open());
  writing->commit();
  CHECK(pending(*store) == Rows{1, 2, 3});
  CHECK(store->dropped().empty());
  REQUIRE(store->acquire());
  REQUIRE(store->settle(delivered({1})));
  CHECK(store->save(message()).row == 4);
}

TEST_CASE("quota: a limit of one and the greatest limits work, and an emptied file has all its room") {
  File file;
  file.options.quota.messages = 1;
  auto store = file.open();
  REQUIRE(store->acquire());
  for (std::int64_t row = 1; row <= 3; ++row) {
    CHECK(store->save(message()).row == row);
    CHECK_THROWS_AS(store->save(message()), QuotaExceeded);
    REQUIRE(store->settle(delivered({row})));
  }
  store.reset();
  file.options.quota.messages = 1'000'000'000'000;
  file.options.quota.bytes = 1'000'000'000'000;
  store = file.open();
  CHECK(store->save(message()).row == 4);
  File odd;
  odd.options.quota.messages = std::numeric_limits<std::uint64_t>::max();
  CHECK_THROWS_AS(odd.open(), satchel::InvalidOption);
}

TEST_CASE("quota: the oldest make room, are counted, and nothing is ever above the limit") {
  File file;
  file.options.quota.messages = 10;
  file.options.quota.when_full = WhenFull::drop_oldest;
  const auto store = file.open();
  for (int i = 0; i < 25; ++i) {
    store->save(message());
    CHECK(messages_in(file) <= 10);
  }
  CHECK(pending(*store) == Rows{16, 17, 18, 19, 20, 21, 22, 23, 24, 25});
  CHECK(drops(*store) == Texts{"quota test/topic 15/0"});
  CHECK(file.notes->any_with("dropped quota test/topic 1"));
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_message") == 10);
}

TEST_CASE("quota: what is with a sink stays, and does not count for more than it is") {
  File file;
  file.options.quota.messages = 10;
  file.options.quota.when_full = WhenFull::drop_oldest;
  const auto store = file.open();
  REQUIRE(store->acquire());
  fill(*store, 10);
  CHECK(store->before_send({{1, 2, 3}, 3}).empty());
  fill(*store, 20);
  CHECK(pending(*store) == Rows{1, 2, 3, 24, 25, 26, 27, 28, 29, 30});
  CHECK(store->dropped().front().messages == 20);
}

TEST_CASE("quota: when everything is with a sink the enqueue fails and drops nothing") {
  File file;
  file.options.quota.messages = 3;
  file.options.quota.when_full = WhenFull::drop_oldest;
  const auto store = file.open();
  REQUIRE(store->acquire());
  fill(*store, 3);
  CHECK(store->before_send({{1, 2, 3}, 3}).empty());
  CHECK_THROWS_AS(store->save(message()), QuotaExceeded);
  CHECK(pending(*store) == Rows{1, 2, 3});
  CHECK(store->before_send({{2, 3}, 3}).empty());
  CHECK(store->save(message()).row == 4);
  CHECK(pending(*store) == Rows{2, 3, 4});
}

TEST_CASE("quota: the new message is dropped by choice, counted, and gets no row") {
  File file;
  file.options.quota.messages = 2;
  file.options.quota.when_full = WhenFull::drop_newest;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  fill(*store, 2);
  const MessageId none = store->save(message());
  CHECK(none == MessageId{});
  CHECK(pending(*store) == Rows{1, 2});
  CHECK(drops(*store) == Texts{"quota test/topic 1/0"});
  CHECK(file.notes->any_with("dropped quota test/topic 1"));
}

TEST_CASE("quota: the bytes of the file's pages stay below the limit, whatever the size of the messages") {
  File file;
  file.options.quota.bytes = 512 * 1024;
  file.options.quota.when_full = WhenFull::drop_oldest;
  const auto store = file.open();
  Foreign foreign{file.path};
  for (int i = 0; i < 400; ++i) {
    store->save(message(std::string(static_cast<std::size_t>(i * 37 % 9000), 'x'), i % 3 == 0 ? "k" : ""));
    const std::int64_t used = foreign.number("PRAGMA page_count") - foreign.number("PRAGMA freelist_count");
    REQUIRE(used * 4096 <= 512 * 1024);
  }
  CHECK(messages_in(file) > 50);
  CHECK(store->dropped().front().messages > 50);
  CHECK_THROWS_AS(store->save(message(std::string(600'000, 'x'))), QuotaExceeded);
  CHECK(messages_in(file) > 50);
}

TEST_CASE("quota: exact counts are what is there, after every kind of change") {
  File file;
  auto store = file.open();
  fill(*store, 3);
  store->save(of(Priority::bulk));
  store.reset();
  file.options.quota.exact = true;
  file.options.quota.messages = 1000;
  store = file.open();
  check_counts(file);
  Message rich = message("payload", "k\xc3\xa9y");
  rich.headers = {{"a", "\"quoted\""}};
  rich.content_type = "text/plain";
  rich.priority = Priority::urgent;
  store->save(rich);
  store->save(message());
  check_counts(file);
  REQUIRE(store->acquire());
  satchel::Settlement settlement = delivered({1});
  settlement.expired = {2};
  settlement.deaths.push_back({5, satchel::DeadReason::rejected, 1, "no"});
  settlement.deaths.push_back({6, satchel::DeadReason::rejected, 1, "no"});
  REQUIRE(store->settle(settlement));
  check_counts(file);
  CHECK(store->replay_all() == 2);
  check_counts(file);
  {
    const auto writing = store->begin();
    writing->enqueue(message());
  }
  Foreign{file.path}.exec("INSERT INTO satchel_message(topic, payload, priority) VALUES ('a', 'text', 7)");
  check_counts(file);
  Foreign{file.path}.exec("DELETE FROM satchel_message WHERE topic <> ''");
  check_counts(file);
}

TEST_CASE(
    "quota: exact counts go when nobody wants them, and stay as long as another outbox has the file open") {
  File file;
  file.options.quota.exact = true;
  auto exact = file.open();
  const auto objects = [&] {
    return Foreign{file.path}.number("SELECT count(*) FROM sqlite_schema WHERE name GLOB 'satchel_quota*'");
  };
  CHECK(objects() == 4);
  file.options.quota.exact = false;
  auto plain = file.open();
  CHECK(objects() == 4);
  exact.reset();
  plain.reset();
  plain = file.open();
  CHECK(objects() == 0);
  plain->save(message());
  CHECK(plain->counts().pending == 1);
}

TEST_CASE("quota: a share of a priority is its own, and only its own messages make room in it") {
  File file;
  file.options.quota.exact = true;
  file.options.quota.messages = 10;
  file.options.quota.bulk.messages = 2;
  file.options.quota.urgent.bytes = 100;
  file.options.quota.when_full = WhenFull::drop_oldest;
  const auto store = file.open();
  store->save(message());
  fill(*store, 3, of(Priority::bulk));
  CHECK(pending(*store) == Rows{1, 3, 4});
  store->save(of(Priority::urgent, std::string(80, 'u')));
  store->save(of(Priority::urgent, std::string(70, 'u')));
  CHECK(pending(*store) == Rows{1, 3, 4, 6});
  CHECK_THROWS_AS(store->save(of(Priority::urgent, std::string(101, 'u'))), QuotaExceeded);
  CHECK(pending(*store) == Rows{1, 3, 4, 6});
  check_counts(file);
}

TEST_CASE("quota: the lowest priority makes room first, and never a higher one than the new message's") {
  File file;
  file.options.quota.exact = true;
  file.options.quota.messages = 4;
  file.options.quota.when_full = WhenFull::drop_lowest;
  const auto store = file.open();
  store->save(message());
  store->save(of(Priority::bulk));
  store->save(of(Priority::urgent));
  store->save(of(Priority::bulk));
  CHECK(store->save(message()).row == 5);
  CHECK(pending(*store) == Rows{1, 3, 4, 5});
  CHECK(store->save(of(Priority::bulk)).row == 6);
  CHECK(pending(*store) == Rows{1, 3, 5, 6});
  fill(*store, 2, of(Priority::urgent));
  CHECK(pending(*store) == Rows{3, 5, 7, 8});
  CHECK(store->save(of(Priority::bulk)).row == 0);
  CHECK(store->save(message()).row == 9);
  CHECK(store->save(of(Priority::urgent)).row == 10);
  CHECK(store->save(message()).row == 0);
  CHECK(store->save(of(Priority::urgent)).row == 11);
  CHECK(pending(*store) == Rows{7, 8, 10, 11});
  check_counts(file);
}

TEST_CASE("quota: the oldest normal message makes room, however many urgent ones are before it") {
  File file;
  crowd(file, 12'000, 3);
  const auto store = file.open();
  CHECK(store->save(of(Priority::urgent)).row == 12'004);
  CHECK(store->save(message()).row == 12'005);
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_message WHERE priority = 1") == 12'001);
  CHECK(normal_rows(file) == "12003,12005");
  // The urgent ones are passed once.
  CHECK(Foreign{file.path}.number("SELECT value FROM satchel_state WHERE name = 'normal_after'") == 12'000);
  for (int i = 0; i < 3; ++i) store->save(of(Priority::urgent));
  CHECK(normal_rows(file).empty());
  CHECK(drops(*store) == Texts{"quota a 4/0", "quota test/topic 1/0"});
  check_counts(file);
}

TEST_CASE("quota: a share is made free by its own messages, however many others are before them") {
  File file;
  crowd(file, 12'000, 3);
  file.options.quota.messages = 0;
  file.options.quota.normal.messages = 3;
  const auto store = file.open();
  CHECK(store->save(message()).row == 12'004);
  CHECK(normal_rows(file) == "12002,12003,12004");
}

TEST_CASE("quota: messages that come back with a rollback are the next to make room again") {
  File file;
  crowd(file, 300, 5);
  const auto store = file.open();
  {
    const auto writing = store->begin();
    for (int i = 0; i < 3; ++i) writing->enqueue(of(Priority::urgent));
  }
  CHECK(normal_rows(file) == "301,302,303,304,305");
  {
    const auto writing = store->begin();
    writing->execute("SAVEPOINT mine", {});
    for (int i = 0; i < 3; ++i) writing->enqueue(of(Priority::urgent));
    writing->execute("ROLLBACK TO mine", {});
    writing->enqueue(of(Priority::urgent));
    writing->commit();
  }
  CHECK(normal_rows(file) == "302,303,304,305");
}

TEST_CASE("quota: a message that was replayed is as old as it is") {
  File file;
  file.options.quota.exact = true;
  auto store = file.open();
  fill(*store, 1);
  REQUIRE(store->acquire());
  satchel::Settlement death;
  death.deaths.push_back({1, satchel::DeadReason::rejected, 1, "no"});
  REQUIRE(store->settle(death));
  fill(*store, 400, of(Priority::urgent));
  fill(*store, 3);
  store.reset();
  file.options.quota.messages = 403;
  file.options.quota.when_full = WhenFull::drop_lowest;
  store = file.open();
  store->save(of(Priority::urgent));
  CHECK(normal_rows(file) == "403,404");
  CHECK(store->replay_all() == 1);
  CHECK(normal_rows(file) == "1,403,404");
  // The replay has brought the file above its limit: two have to go.
  store->save(of(Priority::urgent));
  CHECK(normal_rows(file) == "404");
  store->save(of(Priority::urgent));
  CHECK(normal_rows(file).empty());
}

TEST_CASE("quota: what others have changed is found when nothing else is left to make room") {
  File file;
  crowd(file, 600, 4);
  const auto store = file.open();
  store->save(of(Priority::urgent));
  CHECK(normal_rows(file) == "602,603,604");
  Foreign{file.path}.exec("UPDATE satchel_message SET priority = NULL WHERE id IN (5, 7)");
  Foreign{file.path}.exec("DELETE FROM satchel_message WHERE id IN (602, 604)");
  fill(*store, 2, of(Priority::urgent));
  CHECK(normal_rows(file) == "5,7,603");
  for (const char* left : {"5,7", "7", ""}) {
    store->save(of(Priority::urgent));
    CHECK(normal_rows(file) == left);
  }
  CHECK(store->save(message()).row == 0);
}

TEST_CASE("quota: normal messages that were with a sink make room when they have come back") {
  File file;
  crowd(file, 600, 3);
  const auto store = file.open();
  REQUIRE(store->acquire());
  CHECK(store->before_send({{601, 602}, 2}).empty());
  fill(*store, 3, of(Priority::urgent));
  CHECK(normal_rows(file) == "601,602");
  CHECK(store->save(message()).row == 0);
  CHECK(store->before_send({{602}, 1}).empty());
  store->save(of(Priority::urgent));
  CHECK(normal_rows(file) == "602");
}

TEST_CASE(
    "quota: without exact counts drop_lowest is refused, as its drops could not be told from the span") {
  File file;
  file.options.quota.messages = 10;
  file.options.quota.when_full = WhenFull::drop_lowest;
  const auto error = error_of<satchel::InvalidOption>([&] { file.open(); });
  CHECK(error.hint().find("quota.exact") != std::string::npos);
}

TEST_CASE("quota: room for the announcement is made together with that for the message") {
  File file;
  file.options.quota.messages = 5;
  file.options.quota.when_full = WhenFull::drop_oldest;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  for (int i = 0; i < 40; ++i) {
    store->save(message());
    REQUIRE(messages_in(file) <= 5);
  }
  const auto writing = store->begin();
  for (int i = 0; i < 20; ++i) writing->enqueue(message());
  writing->commit();
  CHECK(messages_in(file) == 5);
}

TEST_CASE("quota: a transaction that needs thousands of messages to go fails, and drops nothing") {
  File file;
  file.open();
  Foreign{file.path}.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO"
      " satchel_message(topic, payload) SELECT 'a', 'x' FROM n");
  file.options.quota.messages = 100;
  file.options.quota.when_full = WhenFull::drop_oldest;
  const auto store = file.open();
  CHECK_THROWS_AS(store->save(message()), QuotaExceeded);
  CHECK(messages_in(file) == 1500);
  CHECK(store->dropped().empty());
}

TEST_CASE("quota: space of the file system is kept free for others") {
  File file;
  file.options.quota.keep_free = 1'000'000'000'000;
  auto store = file.open();
  CHECK_THROWS_AS(store->save(message()), QuotaExceeded);
  store.reset();
  file.options.quota.when_full = WhenFull::drop_newest;
  store = file.open();
  CHECK(store->save(message()).row == 0);
  CHECK(drops(*store) == Texts{"quota test/topic 1/0"});
  store.reset();
  file.options.quota.keep_free = 1;
  store = file.open();
  const auto writing = store->begin();
  for (int i = 0; i < 5; ++i) CHECK(writing->enqueue(message(std::string(500'000, 'x'))).row > 0);
}

TEST_CASE("quota: a crash at any moment finds the bytes within their limit, by pages and by exact counts") {
  constexpr std::uint64_t limit = 200'000;
  for (const bool exact : {false, true}) {
    CAPTURE(exact);
    File file;
    file.options.quota.bytes = limit;
    file.options.quota.exact = exact;
    file.options.quota.when_full = WhenFull::drop_oldest;
    const auto store = file.open();
    for (int i = 0; i < 30; ++i) {
      const auto writing = store->begin();
      for (int j = 0; j < 4; ++j)
        writing->enqueue(message(std::string(static_cast<std::size_t>((i + j) * 977 % 9000), 'x')));
      // The log has nothing of it yet, and everything a moment later.
      for (const bool committed : {false, true}) {
        if (committed && i % 4 == 0) continue;
        if (committed) writing->commit();
        File crashed;
        copy_as_crashed(file.path, crashed.path);
        Foreign foreign{crashed.path};
        const std::int64_t used =
            exact ? foreign.number(
                        "SELECT coalesce(sum(length(topic) + length(payload)), 0) FROM satchel_message"
                        " WHERE topic <> ''")
                  : (foreign.number("PRAGMA page_count") - foreign.number("PRAGMA freelist_count")) * 4096;
        REQUIRE(used <= static_cast<std::int64_t>(limit));
        if (exact) check_counts(crashed);
      }
    }
    REQUIRE_FALSE(store->dropped().empty());
    CHECK(store->dropped().front().messages > 10);
  }
}

TEST_CASE("quota: a crash at any moment finds the file within its limit") {
  File file;
  file.options.quota.messages = 8;
  file.options.quota.exact = true;
  file.options.quota.when_full = WhenFull::drop_oldest;
  const auto store = file.open();
  for (int i = 0; i < 20; ++i) {
    const auto writing = store->begin();
    for (int j = 0; j < 3; ++j) writing->enqueue(message());
    File crashed;
    copy_as_crashed(file.path, crashed.path);
    CHECK(messages_in(crashed) <= 8);
    check_counts(crashed);
    if (i % 4 != 0) writing->commit();
  }
  check_counts(file);
}
