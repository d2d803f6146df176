// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <satchel/auditor.hpp>
#include <satchel/error.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

using namespace store_test;
using namespace std::chrono_literals;
using satchel::Announcement;
using satchel::DropReason;
using Rows = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

namespace {

satchel::Settlement expired(Rows rows) {
  satchel::Settlement settlement;
  settlement.expired = std::move(rows);
  return settlement;
}

Message on(const std::string& topic, const std::string& key = "k") {
  Message made = message("x", key);
  made.topic = topic;
  made.coalesce = true;
  return made;
}

/// A relay in another process, with a file of three messages. It has handed `rows` over and waits for their
/// receipts.
class RelayElsewhere {
 public:
  RelayElsewhere(const File& file, const Rows& rows) {
    std::array<int, 2> ready{};
    REQUIRE(::pipe2(ready.data(), O_CLOEXEC) == 0);
    child_ = ::fork();
    if (child_ == 0) lead(file, rows, ready[1]);
    ::close(ready[1]);
    char byte = 0;
    const bool leads = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    REQUIRE(leads);
  }
  ~RelayElsewhere() {
    if (child_ != -1) kill();
  }
  RelayElsewhere(const RelayElsewhere&) = delete;
  RelayElsewhere& operator=(const RelayElsewhere&) = delete;

  void kill() {
    ::kill(child_, SIGKILL);
    ::waitpid(std::exchange(child_, -1), nullptr, 0);
  }

 private:
  [[noreturn]] static void lead(const File& file, const Rows& rows, int ready) {
    const auto store = file.open();
    for (int i = 0; i < 3; ++i) store->save(message());
    if (!store->acquire() || !store->before_send({rows, rows.back()}).empty()) ::_exit(1);
    if (::write(ready, "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  pid_t child_ = -1;
};

/// The announcements that wait in the file.
std::vector<Announcement> announced(Store& store) {
  std::vector<Announcement> all;
  satchel::ClaimQuery query;
  query.max_count = 10'000;
  for (const StoredMessage& one : store.claim(query).messages) {
    if (one.topic != "drops") continue;
    CHECK(one.content_type == "application/json");
    const auto parsed = Announcement::parse(one.payload);
    CAPTURE(one.payload);
    REQUIRE(parsed.has_value());
    all.push_back(*parsed);
  }
  return all;
}

}  // namespace

TEST_CASE("drops: expired and discarded messages are counted by reason and topic") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  for (int i = 0; i < 4; ++i) store->save(message());
  REQUIRE(store->settle(expired({1, 2, 99})));
  // Suspects of an earlier life, or noted and not sent after all: nobody knows whether they have arrived.
  store->before_send({{3}, 3});
  REQUIRE(store->settle(expired({3})));
  CHECK(drops(*store) == Texts{"expired test/topic 3/1"});
  satchel::Settlement death;
  death.deaths.push_back({4, satchel::DeadReason::rejected, 1, "no"});
  REQUIRE(store->settle(death));
  const std::uint64_t rescans = store->rescans();
  CHECK(store->discard(store->dead_letters(1, 0).front().id));
  CHECK(drops(*store) == Texts{"expired test/topic 3/1", "discarded test/topic 1/0"});
  CHECK(file.notes->any_with("dropped discarded test/topic 1"));
  CHECK(store->rescans() != rescans);
  Foreign foreign{file.path};
  CHECK(foreign.number("SELECT value FROM satchel_counter WHERE name = 'expired'") == 3);
  CHECK(foreign.number("SELECT value FROM satchel_counter WHERE name = 'discarded'") == 1);
}

TEST_CASE("drops: what a relay elsewhere has with its sink stays, and is unconfirmed when that has died") {
  File file;
  file.options.quota.messages = 3;
  file.options.quota.when_full = satchel::WhenFull::drop_oldest;
  RelayElsewhere relay{file, {1, 2}};
  const auto store = file.open();
  store->save(message());
  CHECK(pending(*store) == Rows{1, 2, 4});
  CHECK(drops(*store) == Texts{"quota test/topic 1/0"});
  relay.kill();
  // The span of the ids counts, and the first of them are free to go now.
  store->save(message());
  CHECK(pending(*store) == Rows{4, 5});
  CHECK(drops(*store) == Texts{"quota test/topic 3/2"});
}

TEST_CASE("drops: what is delivered and waits to be recorded is left alone") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  store->save(on("t"));
  store->before_send({{1}, 1});
  store->save(on("u"));
  store->before_send({{2}, 2, 0, {1}});
  store->save(on("t"));
  CHECK(drops(*store).empty());
  satchel::Settlement arrived;
  arrived.delivered = {1, 2};
  REQUIRE(store->settle(arrived));
  CHECK(drops(*store).empty());
  store->save(on("t"));
  CHECK(drops(*store) == Texts{"coalesced t 1/0"});
}

TEST_CASE("drops: settling once more counts nothing once more") {
  const File file;
  const auto store = file.open();
  REQUIRE(store->acquire());
  store->save(message());
  REQUIRE(store->settle(expired({1})));
  REQUIRE(store->settle(expired({1})));
  CHECK(drops(*store) == Texts{"expired test/topic 1/0"});
}

TEST_CASE("drops: two hundred topics are counted by name, all others together") {
  const File file;
  const auto store = file.open();
  for (int i = 0; i < 205; ++i) {
    store->save(on("t/" + std::to_string(i)));
    store->save(on("t/" + std::to_string(i)));
  }
  store->save(on("t/0"));
  const auto dropped = store->dropped();
  REQUIRE(dropped.size() == 201);
  CHECK(dropped[0].topic.empty());
  CHECK(dropped[0].messages == 5);
  CHECK(dropped[1].topic == "t/0");
  CHECK(dropped[1].messages == 2);
}

TEST_CASE("drops: what a transaction drops is announced by one message of the same transaction") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  for (const char* key : {"a", "b", "c"}) store->save(on("t", key));
  CHECK(announced(*store).empty());
  const auto writing = store->begin();
  for (const char* key : {"a", "b"}) writing->enqueue(on("t", key));
  CHECK(announced(*store).empty());
  writing->commit();
  const auto all = announced(*store);
  REQUIRE(all.size() == 1);
  CHECK(all[0].identity == store->identity());
  REQUIRE(all[0].dropped.size() == 1);
  CHECK(all[0].dropped[0].reason == DropReason::coalesced);
  CHECK(all[0].dropped[0].topic == "t");
  CHECK(all[0].dropped[0].rows == std::vector<satchel::AuditRange>{{1, 2}});
  CHECK(all[0].dropped[0].sequences.empty());
  CHECK(pending(*store) == Rows{3, 4, 5, 6});
}

TEST_CASE("drops: expiry is announced in the transaction that records it, and the relay is woken for it") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  REQUIRE(store->acquire());
  Message quoted = message();
  quoted.topic = R"(a"b\c)";
  store->save(quoted);
  store->save(message());
  int wakes = 0;
  store->on_change([&] { ++wakes; });
  REQUIRE(store->settle(expired({1, 2})));
  CHECK(wakes > 0);
  store->on_change([] {});
  const auto all = announced(*store);
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].dropped.size() == 2);
  CHECK(all[0].dropped[0].topic == quoted.topic);
  CHECK(all[0].dropped[1].rows == std::vector<satchel::AuditRange>{{2, 2}});
  satchel::Auditor auditor;
  auditor.begins(store->identity(), 1);
  auditor.arrived(satchel::MessageId{store->identity(), 3});
  CHECK(auditor.missing().size() == 1);
  satchel::ClaimQuery query;
  CHECK(auditor.announced(store->claim(query).messages.front().payload));
  CHECK(auditor.missing().empty());
}

TEST_CASE("drops: rows of different identities are announced apart") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  const satchel::Identity old = store->identity();
  store->save(on("t", "a"));
  const satchel::Identity fresh = store->renew_identity();
  store->save(on("t", "b"));
  const auto writing = store->begin();
  writing->enqueue(on("t", "a"));
  writing->enqueue(on("t", "b"));
  writing->commit();
  const auto all = announced(*store);
  REQUIRE(all.size() == 2);
  CHECK(all[0].identity == old);
  CHECK(all[0].dropped[0].rows == std::vector<satchel::AuditRange>{{1, 1}});
  CHECK(all[1].identity == fresh);
  CHECK(all[1].dropped[0].rows == std::vector<satchel::AuditRange>{{2, 2}});
}

TEST_CASE(
    "drops: a savepoint of the application that is rolled back takes the drop and its announcement back") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  store->save(on("t", "a"));
  store->save(on("t", "b"));
  const auto writing = store->begin();
  writing->database().exec("SAVEPOINT mine");
  writing->enqueue(on("t", "a"));
  writing->database().exec("ROLLBACK TO mine");
  writing->enqueue(on("t", "b"));
  writing->commit();
  CHECK(drops(*store) == Texts{"coalesced t 1/0"});
  const auto all = announced(*store);
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].dropped.size() == 1);
  CHECK(all[0].dropped[0].rows == std::vector<satchel::AuditRange>{{2, 2}});
}

TEST_CASE("drops: many topics are lumped together, and many ids take several announcements") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  {
    const auto writing = store->begin();
    for (int i = 0; i < 600; ++i) {
      writing->enqueue(on("t/" + std::to_string(i), "k" + std::to_string(i)));
      writing->enqueue(message());  // so that the ids do not follow one another
    }
    writing->commit();
  }
  const auto writing = store->begin();
  for (int i = 0; i < 600; ++i) writing->enqueue(on("t/" + std::to_string(i), "k" + std::to_string(i)));
  writing->commit();
  const auto all = announced(*store);
  CHECK(all.size() == 3);
  std::size_t rows = 0;
  for (const Announcement& one : all) {
    CHECK(one.dropped.size() <= 21);
    for (const auto& entry : one.dropped) rows += entry.rows.size();
  }
  CHECK(rows == 600);
}

TEST_CASE("drops: what a dropped announcement said is announced again, however often") {
  File file;
  file.options.announce_topic = "drops";
  file.options.quota = {.messages = 6, .when_full = satchel::WhenFull::drop_oldest};
  const auto store = file.open();
  std::int64_t newest = 0;
  for (int i = 0; i < 300; ++i) newest = store->save(message()).row;
  satchel::ClaimQuery query;
  query.max_count = 100;
  std::vector<bool> known(static_cast<std::size_t>(newest) + 2, false);
  const auto know = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row <= last; ++row) known.at(static_cast<std::size_t>(row)) = true;
  };
  const auto pending = store->claim(query).messages;
  CHECK(pending.size() <= 6);
  for (const StoredMessage& one : pending) {
    if (one.id.row <= newest) know(one.id.row, one.id.row);
  }
  for (const Announcement& one : announced(*store)) {
    for (const Announcement::Entry& entry : one.dropped) {
      for (const satchel::AuditRange& range : entry.rows) know(range.first, range.last);
    }
  }
  for (std::int64_t row = 1; row <= newest; ++row) {
    CAPTURE(row);
    CHECK(known.at(static_cast<std::size_t>(row)));
  }
}

TEST_CASE("drops: only what lies in the range of an identity is announced under it") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  store->save(on("t", "a"));
  store->save(on("t", "b"));
  const satchel::Identity fresh = store->renew_identity();
  store->save(on("t", "c"));
  store->save(message());
  store->save(on("u", "d"));
  const auto writing = store->begin();
  writing->enqueue(on("t", "a"));
  writing->enqueue(on("t", "c"));
  writing->enqueue(on("u", "d"));
  writing->commit();
  const auto all = announced(*store);
  REQUIRE(all.size() == 2);
  REQUIRE(all[0].dropped.size() == 1);
  CHECK(all[0].dropped[0].rows == std::vector<satchel::AuditRange>{{1, 1}});
  CHECK(all[1].identity == fresh);
  REQUIRE(all[1].dropped.size() == 2);
  CHECK(all[1].dropped[0].rows == std::vector<satchel::AuditRange>{{3, 3}});
  CHECK(all[1].dropped[1].rows == std::vector<satchel::AuditRange>{{5, 5}});
  // Nothing of the old identity goes any more.
  store->save(on("u", "d"));
  CHECK(announced(*store).size() == 3);
}

TEST_CASE(
    "drops: what a dropped announcement said of an identity that is forgotten is announced again under it") {
  File file;
  file.options.announce_topic = "drops";
  file.options.quota = {.messages = 3, .when_full = satchel::WhenFull::drop_oldest};
  const auto store = file.open();
  const satchel::Identity old = store->save(message()).identity;
  for (int i = 0; i < 2; ++i) store->save(message());
  store->renew_identity();
  // Two go for this one and its announcement, and one more for the next: nothing of the old identity is left.
  for (int i = 0; i < 2; ++i) store->save(message());
  store->renew_identity();
  for (int i = 0; i < 9; ++i) {
    store->save(message());
    Rows told;
    for (const Announcement& one : announced(*store)) {
      if (one.identity != old) continue;
      for (const Announcement::Entry& entry : one.dropped) {
        for (const satchel::AuditRange& range : entry.rows) {
          for (std::int64_t row = range.first; row <= range.last; ++row) told.push_back(row);
        }
      }
    }
    CAPTURE(i);
    CHECK(told == Rows{1, 2, 3});
  }
}

TEST_CASE("drops: a run of ids of which some come back with a savepoint is announced without them") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  for (const char* key : {"a", "b", "c", "d"}) store->save(on("t", key));
  const auto writing = store->begin();
  const auto undone = [&](const char* key) {
    writing->database().exec("SAVEPOINT mine");
    writing->enqueue(on("t", key));
    writing->database().exec("ROLLBACK TO mine; RELEASE mine");
  };
  writing->enqueue(on("t", "a"));
  undone("b");
  writing->enqueue(on("t", "c"));
  undone("d");
  writing->commit();
  const auto all = announced(*store);
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].dropped.size() == 1);
  CHECK(all[0].dropped[0].rows == std::vector<satchel::AuditRange>{{1, 1}, {3, 3}});
}

TEST_CASE("drops: what plain SQL has put under the topic of announcements is dropped like any other") {
  File file;
  file.options.announce_topic = "drops";
  file.options.quota = {.messages = 4, .when_full = satchel::WhenFull::drop_oldest};
  const auto store = file.open();
  Foreign{file.path}.exec("INSERT INTO satchel_message(topic, payload) VALUES ('drops', 'no announcement')");
  for (int i = 0; i < 3; ++i) store->save(message());
  store->save(message());
  CHECK(drops(*store).front() == "quota drops 1/0");
  const auto all = announced(*store);
  REQUIRE(all.size() == 1);
  CHECK(all[0].dropped[0].topic == "drops");
}

TEST_CASE("drops: a topic too long for an announcement counts among the others there") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  const std::string topic(300, 't');
  store->save(on(topic));
  store->save(on(topic));
  CHECK(drops(*store) == Texts{"coalesced " + topic + " 1/0"});
  const auto all = announced(*store);
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].dropped.size() == 1);
  CHECK(all[0].dropped[0].topic.empty());
  CHECK(all[0].dropped[0].rows == std::vector<satchel::AuditRange>{{1, 1}});
}

TEST_CASE("drops: the observer is told of a thousand topics by name, and of the others together") {
  File file;
  const auto store = file.open();
  const auto enqueue_all = [&] {
    const auto writing = store->begin();
    for (int i = 0; i < 1003; ++i) writing->enqueue(on("t/" + std::to_string(i), "k" + std::to_string(i)));
    // Known by name already.
    writing->enqueue(on("t/0", "k0"));
    writing->commit();
  };
  enqueue_all();
  enqueue_all();
  CHECK(file.notes->any_with("dropped coalesced t/999 1"));
  CHECK(file.notes->any_with("dropped coalesced  3"));
  CHECK(file.notes->any_with("dropped coalesced t/0 2"));
}

TEST_CASE("drops: a discarded dead letter is announced within the quota, or not discarded") {
  for (const std::uint64_t most : {3U, 2U, 0U}) {
    CAPTURE(most);
    File file;
    file.options.announce_topic = "drops";
    file.options.quota.exact = true;
    file.options.quota.messages = most;
    const auto store = file.open();
    REQUIRE(store->acquire());
    store->save(message());
    satchel::Settlement death;
    death.deaths.push_back({1, satchel::DeadReason::rejected, 1, "no"});
    REQUIRE(store->settle(death));
    for (int i = 0; i < 2; ++i) store->save(message());
    const MessageId id = store->dead_letters(1, 0).front().id;
    if (most == 2) {
      CHECK_THROWS_WITH_AS(store->discard(id), doctest::Contains("nothing is discarded"),
                           satchel::QuotaExceeded);
      CHECK(store->counts().dead == 1);
      CHECK(announced(*store).empty());
      continue;
    }
    CHECK(store->discard(id));
    CHECK(store->counts().dead == 0);
    const auto all = announced(*store);
    REQUIRE(all.size() == 1);
    CHECK(all[0].dropped[0].reason == DropReason::discarded);
  }
}

TEST_CASE("drops: a topic that an announcement names already is named on, however many others there are") {
  File file;
  file.options.announce_topic = "drops";
  const auto store = file.open();
  const auto of = [](int number) { return on("t/" + std::to_string(number), "k" + std::to_string(number)); };
  for (int number = 0; number < 25; ++number) store->save(of(number));
  const auto writing = store->begin();
  for (int number = 0; number < 25; ++number) writing->enqueue(of(number));
  writing->enqueue(of(0));
  writing->commit();
  const auto all = announced(*store);
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].dropped.size() == 21);
  CHECK(all[0].dropped[1].topic == "t/0");
  CHECK(all[0].dropped[1].rows == std::vector<satchel::AuditRange>{{1, 1}, {26, 26}});
}
