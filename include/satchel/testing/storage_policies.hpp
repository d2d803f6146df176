// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/storage.hpp>
#include <satchel/testing/storage_fixture.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

/// The rules of `Storage` that the delivery policies need.
namespace satchel::testing::storage_checks {

inline std::vector<std::int64_t> claimed(Storage& storage, const ClaimQuery& query) {
  return rows_of(storage.claim(query).messages);
}

inline void reads_each_priority_alone(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  std::vector<std::int64_t> rows;
  for (const Priority priority : {Priority::bulk, Priority::urgent, Priority::normal, Priority::urgent}) {
    Message message = plain("x");
    message.priority = priority;
    rows.push_back(storage.save(message).row);
  }
  lead(storage);
  ClaimQuery query;
  query.priority = Priority::urgent;
  demand(claimed(storage, query) == std::vector{rows[1], rows[3]}, "urgent messages were not read alone");
  demand(storage.claim(query).messages.front().priority == Priority::urgent, "the priority was not kept");
  query.before = rows[3];
  demand(claimed(storage, query) == std::vector{rows[1]}, "a priority was not read from the newest down");
  query = {};
  query.priority = Priority::normal;
  demand(claimed(storage, query) == std::vector{rows[2]}, "normal messages were not read alone");
  demand(storage.has_priorities(), "there is a priority, and the storage says that there is none");
}

inline void reads_from_the_newest_down(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  std::vector<std::int64_t> rows;
  for (int i = 0; i < 5; ++i) rows.push_back(storage.save(plain("x")).row);
  lead(storage);
  ClaimQuery query;
  query.before = rows[4];
  query.max_count = 2;
  const Claimed newest = storage.claim(query);
  demand(rows_of(newest.messages) == std::vector{rows[3], rows[2]},
         "rows were not read from the newest down");
  demand(newest.last == rows[2], "last is not the last row that was looked at");
  query.before = newest.last;
  query.after = rows[0];
  query.max_count = 100;
  const Claimed rest = storage.claim(query);
  demand(rows_of(rest.messages) == std::vector{rows[1]}, "reading down did not go on, or not stop");
  demand(!rest.last, "there is no more, and last says that there is");
}

inline void leaves_out_topics_and_counts_them(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  std::vector<std::int64_t> rows;
  for (int i = 0; i < 6; ++i) {
    Message message = plain("x");
    if (i < 5) message.topic = "other";
    rows.push_back(storage.save(message).row);
  }
  lead(storage);
  ClaimQuery query;
  query.accepts = [](std::string_view topic) { return topic != "other"; };
  query.max_rows = 3;
  const Claimed first = storage.claim(query);
  demand(first.messages.empty() && first.last == rows[2], "rows that are left out were not counted");
  query.after = *first.last;
  const Claimed second = storage.claim(query);
  demand(rows_of(second.messages) == std::vector{rows[5]}, "reading did not go on behind the last row");
}

inline void holds_back_until_due(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  Message later = plain("later", "k");
  later.not_before = milliseconds{1000};
  const std::int64_t row = storage.save(later).row;
  const std::int64_t now = storage.save(plain("now", "k")).row;
  lead(storage);
  ClaimQuery key;
  key.key = "k";
  demand(claimed(storage, {}) == std::vector{now} && claimed(storage, key) == std::vector{now},
         "a delayed message was found before its time");
  demand(one(storage, row).payload == "later", "a delayed message cannot be asked for by its row");
  const Look look = storage.look();
  demand(!look.due && look.next == fixture.clock().now() + milliseconds{1000},
         "look does not say when a delayed message is due");
  fixture.clock().advance(milliseconds{999});
  demand(storage.release_due(10).rows.empty(), "a message was released early");
  fixture.clock().advance(milliseconds{1});
  demand(storage.look().due, "look does not say that a message is due");
  const Released released = storage.release_due(10);
  demand(released.rows.size() == 1 && released.rows.front().row == row && released.rows.front().key == "k",
         "the due message was not released");
  demand(claimed(storage, key) == std::vector{row, now}, "a released message is not found");
  demand(!storage.look().due && storage.release_due(10).rows.empty(), "a message was released twice");
}

inline void tells_the_keys_of_the_dead(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  Settlement settlement;
  for (const char* key : {"b", "a", "", "b"}) {
    settlement.deaths.push_back({storage.save(plain("x", key)).row, DeadReason::rejected, 1, "no"});
  }
  storage.save(plain("x", "c"));
  lead(storage);
  demand(storage.settle(settlement), "settle was refused although nobody else writes");
  demand(storage.dead_keys(10) == std::vector<std::string>{"a", "b"}, "the keys of dead letters are wrong");
  demand(storage.dead_keys(1).size() == 1, "more dead keys than were asked for");
}

inline void sends_nothing_that_is_being_dropped(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  const std::int64_t row = storage.save(plain("1", "k")).row;
  const std::int64_t other = storage.save(plain("2")).row;
  lead(storage);
  const std::function<void()> roll_back = fixture.condemn(row);
  if (!roll_back) return;
  demand(storage.before_send({{row, other}, other}) == std::vector{row}, "a message that is dropped is sent");
  roll_back();
  demand(storage.before_send({{row, other}, other}).empty(), "a message is not sent after a rollback");
  demand(pending(storage) == std::vector{row, other}, "a rollback did not bring the message back");
}

inline void keeps_notes(StorageFixture& fixture) {
  demand(lead(fixture.storage()).notes.empty(), "there are notes that nobody has made");
  Settlement settlement;
  settlement.notes = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  demand(fixture.storage().settle(settlement), "settle was refused although nobody else writes");
  fixture.crash();
  const std::map<std::string, std::string> expected{{"a", "3"}, {"b", "2"}};
  demand(lead(fixture.storage()).notes == expected, "notes did not survive the process");
}

}  // namespace satchel::testing::storage_checks

#pragma GCC visibility pop
