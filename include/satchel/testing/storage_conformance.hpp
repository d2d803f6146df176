// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/error.hpp>
#include <satchel/storage.hpp>
#include <satchel/testing/storage_fixture.hpp>
#include <satchel/testing/storage_policies.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::testing {

namespace storage_checks {

inline void keeps_the_whole_message(StorageFixture& fixture) {
  Message message = plain(std::string{"\0binary\xFF", 8}, "key");
  message.content_type = "application/json";
  message.headers = {{"a", "1"}, {"b", ""}};
  message.expires_after = milliseconds{60'000};
  const MessageId id = fixture.storage().save(message);
  lead(fixture.storage());
  const StoredMessage kept = one(fixture.storage(), id.row);
  demand(kept.id == id, "the id changed");
  demand(kept.topic == message.topic && kept.payload == message.payload && kept.key == message.key &&
             kept.content_type == message.content_type && kept.headers == message.headers,
         "a part of the message changed");
  demand(kept.attempts == 0 && !kept.suspect && !kept.due && kept.damage.empty(),
         "a new message has a history");
  demand(kept.remaining && *kept.remaining == milliseconds{60'000}, "the time to live changed");
  fixture.clock().advance(milliseconds{1500});
  demand(one(fixture.storage(), id.row).remaining == milliseconds{58'500},
         "the time to live does not run down");
}

inline void never_uses_an_id_twice(StorageFixture& fixture) {
  const MessageId first = fixture.storage().save(plain("1"));
  const MessageId second = fixture.storage().save(plain("2"));
  demand(second.row > first.row, "ids do not ascend");
  lead(fixture.storage());
  deliver(fixture.storage(), {first.row, second.row});
  demand(pending(fixture.storage()).empty(), "delivered messages are still pending");
  const MessageId third = fixture.storage().save(plain("3"));
  demand(third.row > second.row, "an id was used again after the newest message went");
}

inline void reads_in_order_and_within_limits(StorageFixture& fixture) {
  std::vector<std::int64_t> rows;
  for (int i = 0; i < 10; ++i) rows.push_back(fixture.storage().save(plain(std::string(100, 'x'))).row);
  lead(fixture.storage());
  ClaimQuery query;
  query.max_count = 4;
  demand(rows_of(fixture.storage().claim(query).messages) == std::vector(rows.begin(), rows.begin() + 4),
         "the first rows were not read in order");
  query.after = rows[3];
  query.max_count = 100;
  demand(rows_of(fixture.storage().claim(query).messages) == std::vector(rows.begin() + 4, rows.end()),
         "the rows after the cursor were not read in order");
  query.max_bytes = 250;
  const std::size_t few = fixture.storage().claim(query).messages.size();
  demand(few >= 1 && few <= 3, "the limit in bytes was not kept");
  query.max_bytes = 1;
  demand(fixture.storage().claim(query).messages.size() == 1,
         "a message over the limit in bytes was not read alone");
  query.after = rows.back();
  demand(fixture.storage().claim(query).messages.empty(), "rows were found after the newest");
}

inline void reads_by_key_and_by_row(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  const std::int64_t a1 = storage.save(plain("1", "a")).row;
  const std::int64_t b1 = storage.save(plain("2", "b")).row;
  const std::int64_t a2 = storage.save(plain("3", "a")).row;
  storage.save(plain("4"));
  lead(storage);
  ClaimQuery query;
  query.key = "a";
  demand(rows_of(storage.claim(query).messages) == std::vector{a1, a2}, "a key was not read in order");
  query.after = a1;
  demand(rows_of(storage.claim(query).messages) == std::vector{a2}, "a key was not read from the cursor on");
  query.key = "c";
  demand(storage.claim(query).messages.empty(), "messages of an unknown key were found");
  demand(one(storage, b1).payload == "2", "the wrong row was read");
  deliver(storage, {b1});
  ClaimQuery gone;
  gone.row = b1;
  demand(storage.claim(gone).messages.empty(), "a row that is gone was read");
}

inline void has_one_relay(StorageFixture& fixture) {
  lead(fixture.storage());
  const std::unique_ptr<Storage> other = fixture.other();
  if (!other) return;
  demand(!other->acquire(), "two relays have the claim at once");
  fixture.storage().release();
  const std::optional<Recovery> recovery = other->acquire();
  demand(recovery.has_value(), "a released claim was refused");
  demand(recovery->suspects.empty(), "an orderly end left suspects");
  demand(!fixture.storage().acquire(), "the first relay took the claim back");
  other->release();
}

inline void remembers_what_was_in_flight(StorageFixture& fixture) {
  std::vector<std::int64_t> rows;
  for (int i = 0; i < 4; ++i) rows.push_back(fixture.storage().save(plain("x")).row);
  lead(fixture.storage());
  fixture.storage().before_send({{rows[0], rows[1], rows[2]}, rows[2]});
  deliver(fixture.storage(), {rows[0]});
  fixture.storage().before_send({{rows[2], rows[3]}, rows[3]});
  fixture.crash();
  const Recovery recovery = lead(fixture.storage());
  demand(recovery.suspects == std::vector{rows[2], rows[3]},
         "what was in flight at a crash is not what was noted last");
  demand(pending(fixture.storage()) == std::vector{rows[1], rows[2], rows[3]},
         "a crash changed what is pending");
}

inline void suspects_nothing_after_a_release(StorageFixture& fixture) {
  const std::int64_t row = fixture.storage().save(plain("x")).row;
  lead(fixture.storage());
  fixture.storage().before_send({{row}, row});
  fixture.storage().release();
  fixture.crash();
  demand(lead(fixture.storage()).suspects.empty(), "an orderly end left suspects");
}

inline void settles_twice_without_effect(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  const std::int64_t sent = storage.save(plain("1")).row;
  const std::int64_t kept = storage.save(plain("2")).row;
  lead(storage);
  deliver(storage, {sent});
  deliver(storage, {sent});
  demand(pending(storage) == std::vector{kept}, "settling twice took another message");
}

inline void records_failures(StorageFixture& fixture) {
  const std::int64_t row = fixture.storage().save(plain("1")).row;
  lead(fixture.storage());
  const BootTime due = fixture.clock().now() + std::chrono::minutes{5};
  Settlement settlement;
  settlement.failures.push_back({row, 2, true, due, milliseconds{1234}, "no"});
  demand(fixture.storage().settle(settlement), "settle was refused although nobody else writes");
  demand(fixture.storage().settle(settlement), "settle was refused although nobody else writes");
  fixture.crash();
  lead(fixture.storage());
  const StoredMessage kept = one(fixture.storage(), row);
  demand(kept.attempts == 2 && kept.suspect, "a failure was not recorded");
  demand(kept.due == due, "the time of the next attempt was not recorded");
  demand(kept.aged == milliseconds{1234}, "the age was not recorded");
  demand(pending(fixture.storage()) == std::vector{row}, "a failed message is not pending");
  settlement.failures = {{row, 3, false, due, milliseconds{2000}, "no again"}};
  demand(fixture.storage().settle(settlement), "settle was refused although nobody else writes");
  demand(one(fixture.storage(), row).attempts == 3 && !one(fixture.storage(), row).suspect,
         "a second failure was not recorded");
}

inline void ignores_failures_of_messages_that_are_gone(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  const std::int64_t row = storage.save(plain("1")).row;
  lead(storage);
  deliver(storage, {row});
  Settlement settlement;
  settlement.failures.push_back({row, 1, false, std::nullopt, milliseconds{0}, "no"});
  settlement.deaths.push_back({row, DeadReason::attempts, 1, "no"});
  settlement.expired.push_back(row);
  demand(storage.settle(settlement), "settle was refused although nobody else writes");
  demand(pending(storage).empty(), "a message that was gone came back");
}

inline void moves_the_dead_away_and_back(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  const std::int64_t row = storage.save(plain("1", "k")).row;
  const std::int64_t later = storage.save(plain("2", "k")).row;
  lead(storage);
  Settlement settlement;
  settlement.deaths.push_back({row, DeadReason::rejected, 1, "no"});
  demand(storage.settle(settlement), "settle was refused although nobody else writes");
  demand(pending(storage) == std::vector{later}, "a dead letter is still pending");
  const std::uint64_t before = storage.rescans();
  if (!fixture.replay(row)) return;
  demand(storage.rescans() != before, "a replay below the newest row was not told by rescans");
  const StoredMessage again = one(storage, row);
  demand(again.attempts == 0 && !again.suspect && !again.due && again.payload == "1" && again.key == "k",
         "a replayed message is not as new");
}

inline void drops_the_expired(StorageFixture& fixture) {
  Storage& storage = fixture.storage();
  Message message = plain("1");
  message.expires_after = milliseconds{10};
  const std::int64_t row = storage.save(message).row;
  lead(storage);
  fixture.clock().advance(milliseconds{11});
  const std::optional<milliseconds> remaining = one(storage, row).remaining;
  demand(remaining && remaining->count() <= 0, "an expired message has time left");
  Settlement settlement;
  settlement.expired.push_back(row);
  demand(storage.settle(settlement), "settle was refused although nobody else writes");
  demand(pending(storage).empty(), "an expired message is still pending");
}

inline void wakes_the_relay(StorageFixture& fixture) {
  std::atomic<int> wakes{0};
  fixture.storage().on_change([&wakes] { ++wakes; });
  fixture.storage().save(plain("1"));
  fixture.storage().on_change([] {});
  demand(wakes.load() > 0, "a saved message does not wake the relay");
}

}  // namespace storage_checks

/// One rule of the suite.
struct StorageCheck {
  std::string name;
  /// Throws `std::logic_error` when the storage breaks the rule.
  void (*run)(StorageFixture&);
};

/// The rules of `Storage` that every storage has to keep. Run each with a fixture of its own.
inline std::vector<StorageCheck> all_storage_checks() {
  using namespace storage_checks;
  return {
      {"keeps the whole message", keeps_the_whole_message},
      {"never uses an id twice", never_uses_an_id_twice},
      {"reads in order and within limits", reads_in_order_and_within_limits},
      {"reads by key and by row", reads_by_key_and_by_row},
      {"has one relay", has_one_relay},
      {"remembers what was in flight", remembers_what_was_in_flight},
      {"suspects nothing after a release", suspects_nothing_after_a_release},
      {"settles twice without effect", settles_twice_without_effect},
      {"records failures", records_failures},
      {"ignores failures of messages that are gone", ignores_failures_of_messages_that_are_gone},
      {"moves the dead away and back", moves_the_dead_away_and_back},
      {"drops the expired", drops_the_expired},
      {"reads each priority alone", reads_each_priority_alone},
      {"reads from the newest down", reads_from_the_newest_down},
      {"leaves out topics and counts them", leaves_out_topics_and_counts_them},
      {"holds back until due", holds_back_until_due},
      {"tells the keys of the dead", tells_the_keys_of_the_dead},
      {"sends nothing that is being dropped", sends_nothing_that_is_being_dropped},
      {"keeps notes", keeps_notes},
      {"wakes the relay", wakes_the_relay},
  };
}

}  // namespace satchel::testing

#pragma GCC visibility pop
