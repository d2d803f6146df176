// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace store_test;
using namespace std::chrono_literals;
using satchel::QuotaExceeded;
using satchel::WhenFull;
using Rows = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

namespace {

Message for_a_minute() {
  Message made = message();
  made.expires_after = 1min;
  return made;
}

void fill(Store& store, int count, const Message& what) {
  for (int i = 0; i < count; ++i) store.save(what);
}

std::int64_t messages_in(const File& file) {
  return Foreign{file.path}.number("SELECT count(*) FROM satchel_message WHERE topic <> ''");
}

}  // namespace

TEST_CASE("expiry: a full file takes messages again when those of a route that is down have expired") {
  for (const WhenFull when_full : {WhenFull::reject, WhenFull::drop_oldest, WhenFull::drop_newest}) {
    File file;
    file.options.quota.messages = 5;
    file.options.quota.when_full = when_full;
    const auto store = file.open();
    fill(*store, 5, for_a_minute());
    file.clock->advance(59s);
    if (when_full == WhenFull::reject) CHECK_THROWS_AS(store->save(message()), QuotaExceeded);
    CHECK(store->dropped().empty());
    file.clock->advance(1s);
    CHECK(store->save(message()).row == 6);
    CHECK(pending(*store) == Rows{6});
    CHECK(drops(*store) == Texts{"expired test/topic 5/0"});
    CHECK(Foreign{file.path}.number("SELECT value FROM satchel_counter WHERE name = 'expired'") == 5);
    CHECK(file.notes->any_with("dropped expired test/topic 5"));
    CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_message") == 1);
  }
}

TEST_CASE("expiry: there is no need to look as long as there is room") {
  File file;
  file.options.quota.messages = 6;
  const auto store = file.open();
  fill(*store, 5, for_a_minute());
  file.clock->advance(1h);
  CHECK(store->save(message()).row == 6);
  CHECK(pending(*store) == Rows{1, 2, 3, 4, 5, 6});
}

TEST_CASE("expiry: expired messages among others are found in turns") {
  File file;
  file.options.quota.messages = 101;
  file.options.quota.exact = true;
  file.options.quota.when_full = WhenFull::drop_newest;
  const auto store = file.open();
  fill(*store, 99, message());
  fill(*store, 1, for_a_minute());
  fill(*store, 1, message());
  file.clock->advance(1min);
  int in_vain = 0;
  while (store->save(message()).row == 0) REQUIRE(++in_vain < 10);
  CHECK(in_vain > 0);
  CHECK(drops(*store) ==
        Texts{"expired test/topic 1/0", "quota test/topic " + std::to_string(in_vain) + "/0"});
  CHECK(messages_in(file) == 101);
  // And once more from the first on.
  Foreign{file.path}.exec("UPDATE satchel_message SET ttl = 1 WHERE id = 50");
  for (in_vain = 0; store->save(message()).row == 0;) REQUIRE(++in_vain < 10);
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_message WHERE id = 50") == 0);
}

TEST_CASE("expiry: what is with a sink stays, and what a rollback undoes is there again") {
  File file;
  file.options.quota.messages = 3;
  const auto store = file.open();
  REQUIRE(store->acquire());
  fill(*store, 3, for_a_minute());
  CHECK(store->before_send({{1}, 1}).empty());
  file.clock->advance(1min);
  {
    const auto writing = store->begin();
    CHECK(writing->enqueue(message()).row == 4);
    CHECK(messages_in(file) == 3);
  }
  CHECK(pending(*store) == Rows{1, 2, 3});
  CHECK(store->dropped().empty());
  CHECK(store->save(message()).row == 4);
  CHECK(pending(*store) == Rows{1, 4});
}

TEST_CASE("expiry: the announcement of what has expired keeps the file within its limit") {
  File file;
  file.options.quota.messages = 3;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  fill(*store, 3, for_a_minute());
  file.clock->advance(1min);
  const auto writing = store->begin();
  CHECK(writing->enqueue(message()).row == 4);
  CHECK(writing->enqueue(message()).row == 5);
  CHECK_THROWS_AS(writing->enqueue(message()), QuotaExceeded);
  writing->commit();
  CHECK(messages_in(file) == 3);
  CHECK(Foreign{file.path}
            .text("SELECT payload FROM satchel_message WHERE topic = 'drops'")
            .find(R"("reason":"expired","topic":"test/topic","rows":[[1,3]])") != std::string::npos);
}

TEST_CASE("expiry: what plain SQL has written without a time of birth does not make room") {
  File file;
  file.options.quota.messages = 2;
  const auto store = file.open();
  Foreign{file.path}.exec("INSERT INTO satchel_message(topic, payload, ttl) VALUES ('a', 'x', 1)");
  store->save(for_a_minute());
  file.clock->advance(1h);
  // The second has expired, and the span of the ids is as long as before.
  CHECK_THROWS_AS(store->save(message()), QuotaExceeded);
  CHECK(pending(*store).front() == 1);
}
