// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

using namespace store_test;
using satchel::Claimed;
using satchel::ClaimQuery;
using satchel::Priority;

namespace {

using Rows = std::vector<std::int64_t>;

/// Rows 1 to `count` with the topic `a`, a payload and what `columns` says.
void insert(Foreign& foreign, int count, const std::string& columns = "", const std::string& values = "") {
  foreign.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
               std::to_string(count) + ") INSERT INTO satchel_message(topic, payload" +
               (columns.empty() ? "" : ", " + columns) + ") SELECT 'a', 'x'" +
               (values.empty() ? "" : ", " + values) + " FROM n");
}

Rows claim(Store& store, const ClaimQuery& query) { return rows_of(store.claim(query).messages); }

ClaimQuery of(Priority priority) {
  ClaimQuery query;
  query.priority = priority;
  return query;
}

}  // namespace

TEST_CASE("claim: a priority is read alone, and a number that is none is a normal message's") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  for (const char* priority : {"NULL", "1", "2", "7", "-1", "NULL", "1"})
    insert(foreign, 1, "priority", priority);
  CHECK(claim(*store, of(Priority::urgent)) == Rows{2, 7});
  CHECK(claim(*store, of(Priority::bulk)) == Rows{3});
  CHECK(claim(*store, of(Priority::normal)) == Rows{1, 4, 5, 6});
  CHECK(claim(*store, {}) == Rows{1, 2, 3, 4, 5, 6, 7});
  CHECK(store->claim(of(Priority::urgent)).messages.front().priority == Priority::urgent);
  CHECK(store->claim(of(Priority::normal)).messages.at(1).priority == Priority::normal);
  ClaimQuery later = of(Priority::urgent);
  later.after = 2;
  CHECK(claim(*store, later) == Rows{7});
  ClaimQuery row = of(Priority::bulk);
  row.row = 2;
  CHECK(claim(*store, row).empty());
  row.priority = Priority::urgent;
  CHECK(claim(*store, row) == Rows{2});
}

TEST_CASE("claim: with before it goes down, within the same limits") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  insert(foreign, 6);
  insert(foreign, 3, "priority", "2");
  ClaimQuery query = of(Priority::normal);
  query.before = 6;
  query.max_count = 3;
  const Claimed newest = store->claim(query);
  CHECK(rows_of(newest.messages) == Rows{5, 4, 3});
  REQUIRE(newest.last == 3);
  query.before = newest.last;
  query.after = 1;
  const Claimed rest = store->claim(query);
  CHECK(rows_of(rest.messages) == Rows{2});
  CHECK_FALSE(rest.last.has_value());
  ClaimQuery bulk = of(Priority::bulk);
  bulk.before = 100;
  CHECK(claim(*store, bulk) == Rows{9, 8, 7});
}

TEST_CASE("claim: rows that are left out count, and last says where to go on") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  insert(foreign, 100, "priority", "2");
  insert(foreign, 1);
  ClaimQuery query = of(Priority::normal);
  query.max_rows = 40;
  Rows lasts;
  Claimed found = store->claim(query);
  while (found.messages.empty()) {
    REQUIRE(found.last.has_value());
    lasts.push_back(*found.last);
    query.after = *found.last;
    found = store->claim(query);
  }
  CHECK(lasts == Rows{40, 80});
  CHECK(rows_of(found.messages) == Rows{101});
  CHECK_FALSE(found.last.has_value());
}

TEST_CASE(
    "claim: last is the last row that was looked at when a limit ended the claim, and nothing otherwise") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  CHECK_FALSE(store->claim({}).last.has_value());
  insert(foreign, 5);
  CHECK_FALSE(store->claim({}).last.has_value());
  ClaimQuery query;
  query.max_count = 2;
  CHECK(store->claim(query).last == 2);
  query = {};
  query.max_bytes = 1;
  CHECK(store->claim(query).last == 1);
  query = {};
  query.max_rows = 0;  // as 1: it has to get somewhere
  CHECK(store->claim(query).last == 1);
}

TEST_CASE("claim: topics that are not accepted are passed over without their payload being read") {
  const File file;
  const auto store = file.open();
  store->save(message("for everybody"));
  Message other = message(std::string(1'000'000, 'p'), "k");
  other.topic = "other/topic";
  store->save(other);
  store->save(message("mine too", "k"));
  REQUIRE(store->acquire());
  satchel::Settlement failed;
  failed.failures.push_back({3, 2, false, std::nullopt, std::chrono::milliseconds{0}, "no"});
  REQUIRE(store->settle(failed));
  std::vector<std::string> asked;
  ClaimQuery query;
  query.accepts = [&](std::string_view topic) {
    asked.emplace_back(topic);
    return topic == "test/topic";
  };
  const Claimed found = store->claim(query);
  CHECK(rows_of(found.messages) == Rows{1, 3});
  CHECK(found.messages.back().payload == "mine too");
  CHECK(found.messages.back().attempts == 2);
  CHECK(asked == std::vector<std::string>{"test/topic", "other/topic", "test/topic"});
  query.key = "k";
  CHECK(claim(*store, query) == Rows{3});
  query.key.reset();
  query.before = 3;
  CHECK(claim(*store, query) == Rows{1});
  query.before.reset();
  query.row = 2;
  CHECK(claim(*store, query).empty());
  query = {};
  query.accepts = [](std::string_view) { return false; };
  CHECK(claim(*store, query).empty());
}

TEST_CASE("claim: a message that is delayed comes by its row alone") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  insert(foreign, 1, "key, delay", "'k', 1000");
  insert(foreign, 1, "key", "'k'");
  CHECK(claim(*store, {}) == Rows{2});
  ClaimQuery query;
  query.key = "k";
  CHECK(claim(*store, query) == Rows{2});
  query = {};
  query.row = 1;
  CHECK(claim(*store, query) == Rows{1});
}

TEST_CASE("claim: a retry policy and a sequence number are read back, whatever they hold") {
  const File file;
  const auto store = file.open();
  Foreign foreign{file.path};
  insert(foreign, 1, "retry, sequence", "'n3 a1000', 17");
  insert(foreign, 1, "retry, sequence", "'nonsense', -9223372036854775808");
  insert(foreign, 1);
  const auto found = store->claim({}).messages;
  REQUIRE(found.size() == 3);
  REQUIRE(found[0].retry.has_value());
  CHECK(found[0].retry->max_attempts == 3);
  CHECK(found[0].retry->max_age == std::chrono::milliseconds{1000});
  CHECK(found[0].sequence == 17);
  CHECK_FALSE(found[1].retry.has_value());
  CHECK(found[1].sequence == INT64_MIN);
  CHECK(found[1].damage.empty());
  CHECK_FALSE(found[2].sequence.has_value());
}

TEST_CASE("claim: the keys of dead letters are told once each, up to the limit") {
  const File file;
  const auto store = file.open();
  CHECK(store->dead_keys(10).empty());
  Foreign foreign{file.path};
  int row = 0;
  for (const char* key : {"'b'", "'a'", "NULL", "'b'", "'c'", "'b'"}) {
    foreign.exec("INSERT INTO satchel_dead(id, identity, topic, payload, key, reason, attempts) VALUES (" +
                 std::to_string(++row) + ", zeroblob(16), 't', 'x', " + key + ", 1, 1)");
  }
  CHECK(store->dead_keys(10) == std::vector<std::string>{"a", "b", "c"});
  CHECK(store->dead_keys(2) == std::vector<std::string>{"a", "b"});
  CHECK(store->dead_keys(0).empty());
}
