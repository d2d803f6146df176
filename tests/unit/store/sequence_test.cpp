// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <satchel/auditor.hpp>
#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <map>
#include <vector>

using namespace store_test;
using satchel::RouteOptions;
using Rows = std::vector<std::int64_t>;

namespace {

RouteOptions route(const std::string& name, const std::string& filter, bool sequence) {
  RouteOptions made;
  made.name = name;
  made.topics = {filter};
  made.sequence = sequence;
  return made;
}

Message on(const std::string& topic) {
  Message made = message();
  made.topic = topic;
  return made;
}

std::vector<std::int64_t> sequences(Store& store) {
  std::vector<std::int64_t> found;
  for (const StoredMessage& one : store.claim({}).messages) found.push_back(one.sequence.value_or(0));
  return found;
}

}  // namespace

TEST_CASE("sequence: the messages of a route are numbered without gaps, by the first route that takes them") {
  const File file;
  auto store = file.open();
  store->sequence_routes(
      {route("plain", "p/#", false), route("numbered", "n/#", true), route("rest", "#", true)});
  for (const char* topic : {"n/1", "p/1", "n/2", "x", "n/3", "y"}) store->save(on(topic));
  CHECK(sequences(*store) == Rows{1, 0, 2, 1, 3, 2});
  {
    const auto writing = store->begin();
    writing->enqueue(on("n/4"));
  }
  store->save(on("n/5"));
  CHECK(sequences(*store).back() == 4);
  store.reset();
  store = file.open();
  store->save(on("n/6"));
  CHECK(sequences(*store).back() == 0);
  store->sequence_routes({route("numbered", "n/#", true)});
  store->save(on("n/7"));
  CHECK(sequences(*store).back() == 5);
}

TEST_CASE("sequence: a message goes by the number of the route that the relay takes for it") {
  const File file;
  const auto store = file.open();
  store->sequence_routes({route("all", "#", true), route("system", "$sys/#", true)});
  store->save(on("$sys/x"));
  store->save(on("x"));
  CHECK(sequences(*store) == Rows{1, 2});
}

TEST_CASE("sequence: a message that did not fit has used up no number") {
  File file;
  file.options.max_file_bytes = 128U << 10U;
  const auto store = file.open();
  store->sequence_routes({route("numbered", "n/#", true)});
  std::int64_t kept = 0;
  {
    const auto writing = store->begin();
    Message large = on("n/large");
    large.payload = std::string(5000, 'x');
    const auto fill = [&] {
      for (;; ++kept) writing->enqueue(large);
    };
    CHECK_THROWS_AS(fill(), satchel::FullError);
    CHECK_THROWS_AS(writing->enqueue(large), satchel::FullError);
    REQUIRE(writing->open());
    writing->commit();
  }
  REQUIRE(kept > 1);
  REQUIRE(store->acquire());
  satchel::Settlement all;
  for (std::int64_t row = 1; row < kept; ++row) all.delivered.push_back(row);
  REQUIRE(store->settle(all));
  store->save(on("n/next"));
  CHECK(sequences(*store) == Rows{kept, kept + 1});
}

TEST_CASE("sequence: a number whose message came back with a savepoint is not announced") {
  File file;
  file.options.announce_topic = "drops";
  file.options.quota = {.messages = 5, .when_full = satchel::WhenFull::drop_oldest};
  const auto store = file.open();
  store->sequence_routes({route("numbered", "n/#", true)});
  for (int i = 0; i < 4; ++i) store->save(on("n/x"));
  const auto writing = store->begin();
  const auto announced = [&] {
    return satchel::Announcement::parse(store->claim({}).messages.back().payload);
  };
  writing->database().exec("DELETE FROM satchel_message WHERE id = 2");
  writing->dropped(satchel::DropReason::discarded, {{2, "n/x", 2, false}});
  writing->database().exec("SAVEPOINT mine; DELETE FROM satchel_message WHERE id = 3");
  writing->dropped(satchel::DropReason::discarded, {{3, "n/x", 3, false}});
  writing->database().exec("ROLLBACK TO mine; RELEASE mine");
  writing->commit();
  REQUIRE(store->acquire());
  const auto announcement = announced();
  REQUIRE(announcement.has_value());
  REQUIRE(announcement->dropped.size() == 1);
  CHECK(announcement->dropped[0].rows == std::vector<satchel::AuditRange>{{2, 2}});
  CHECK(announcement->dropped[0].sequences == std::vector<satchel::AuditRange>{{2, 2}});
}

TEST_CASE("sequence: a number goes with its message through death, replay and announcement") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  store->sequence_routes({route("numbered", "n/#", true)});
  REQUIRE(store->acquire());
  for (int i = 0; i < 3; ++i) store->save(on("n/x"));
  satchel::Settlement death;
  death.deaths.push_back({2, satchel::DeadReason::rejected, 1, "no"});
  REQUIRE(store->settle(death));
  REQUIRE(store->replay_all() == 1);
  CHECK(sequences(*store) == Rows{1, 2, 3});
  satchel::Settlement expiry;
  expiry.expired = {2, 3};
  REQUIRE(store->settle(expiry));
  const auto announcement = satchel::Announcement::parse(store->claim({}).messages.back().payload);
  REQUIRE(announcement.has_value());
  REQUIRE(announcement->dropped.size() == 1);
  CHECK(announcement->dropped[0].sequences == std::vector<satchel::AuditRange>{{2, 3}});
}

TEST_CASE("identity: renewing it begins a new one for the messages to come") {
  const File file;
  const auto store = file.open();
  const MessageId old = store->save(message());
  const satchel::Identity fresh = store->renew_identity();
  CHECK(fresh != old.identity);
  CHECK(store->identity() == fresh);
  const MessageId next = store->save(message());
  CHECK(next.identity == fresh);
  CHECK(next.row == 2);
  REQUIRE(store->acquire());
  const auto found = store->claim({}).messages;
  REQUIRE(found.size() == 2);
  CHECK(found[0].id == old);
  CHECK(found[1].id == next);
  CHECK(Foreign{file.path}.text("SELECT reason FROM satchel_identity ORDER BY first_id DESC") == "renewed");
}

TEST_CASE("identity: of a restored copy it is kept by choice, and no id comes again") {
  File file;
  file.options.on_restore = satchel::OnRestore::keep;
  const std::string backup = file.path + ".backup";
  satchel::Identity identity;
  {
    const auto store = file.open();
    identity = store->save(message("before")).identity;
    Foreign{file.path}.exec("VACUUM INTO '" + backup + "'");
    for (int i = 0; i < 5; ++i) store->save(message());
    REQUIRE(store->acquire());
    store->before_send({{2, 3, 4}, 4});
    store->release();
  }
  REQUIRE(in_child([&] {
            ::unlink((file.path + "-wal").c_str());
            ::unlink((file.path + "-shm").c_str());
            return ::rename(backup.c_str(), file.path.c_str());
          }) == 0);
  const auto store = file.open();
  CHECK(store->identity() == identity);
  CHECK(file.notes->any_with("have the same identity"));
  CHECK(pending(*store) == Rows{1});
  const MessageId next = store->save(message("after"));
  CHECK(next.identity == identity);
  CHECK(next.row == 7);
  REQUIRE(store->acquire());
  CHECK(pending(*store) == Rows{1, 7});
  CHECK(store->identity() == identity);
}

TEST_CASE("notes: named values are kept with outcomes, the last of each name, and a thousand names at most") {
  const File file;
  auto store = file.open();
  REQUIRE(store->acquire());
  CHECK(store->acquire()->notes.empty());
  satchel::Settlement notes;
  notes.notes = {{"budget:a", "1"}, {"budget:b", ""}, {"budget:a", "2"}};
  REQUIRE(store->settle(notes));
  store->release();
  store.reset();
  store = file.open();
  auto recovery = store->acquire();
  REQUIRE(recovery.has_value());
  CHECK(recovery->notes == std::map<std::string, std::string>{{"budget:a", "2"}, {"budget:b", ""}});
  notes.notes.clear();
  for (int i = 0; i < 1200; ++i) notes.notes.emplace_back("n" + std::to_string(i), "x");
  notes.notes.emplace_back("budget:a", "3");
  REQUIRE(store->settle(notes));
  store->release();
  recovery = store->acquire();
  REQUIRE(recovery.has_value());
  CHECK(recovery->notes.size() == 1000);
  CHECK(recovery->notes.at("budget:a") == "3");
  CHECK(recovery->notes.count("n997") == 1);
  CHECK(recovery->notes.count("n998") == 0);
}
