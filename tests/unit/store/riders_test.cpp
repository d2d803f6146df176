// SPDX-License-Identifier: MIT
#include "store/riders.hpp"
#include "fixture.hpp"
#include "support/fault_vfs.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

using namespace store_test;
using namespace std::chrono_literals;
using satchel::store::Riders;
using support::FaultVfs;
using support::FileKind;
using support::FileOp;

namespace {

using Rows = std::vector<std::int64_t>;

Rows rows_up_to(std::int64_t last) {
  Rows rows(static_cast<std::size_t>(last));
  std::iota(rows.begin(), rows.end(), 1);
  return rows;
}

std::int64_t vanished(const File& file) {
  return Foreign{file.path}.number(
      "SELECT coalesce(sum(value), 0) FROM satchel_counter WHERE name = 'vanished'");
}

/// A store that leads, with so many messages in flight.
std::shared_ptr<Store> under_way(const File& file, std::int64_t messages) {
  const auto store = file.open();
  for (std::int64_t i = 0; i < messages; ++i) store->save(message());
  REQUIRE(store->acquire());
  store->before_send({rows_up_to(messages), messages});
  return store;
}

}  // namespace

TEST_CASE("riders: a commit with a message records what the relay offers, and the relay is told") {
  const File file;
  const auto store = under_way(file, 20);
  CHECK(store->ride(rows_up_to(16)).recorded.empty());
  store->save(message());
  CHECK(pending(*store) == Rows{17, 18, 19, 20, 21});
  const satchel::Ride ride = store->ride({});
  CHECK(ride.recorded == rows_up_to(16));
  CHECK(ride.near);
  CHECK(store->ride({}).recorded.empty());
  // Once more by the relay is no harm, and nothing has vanished.
  CHECK(store->settle(delivered({16, 17})));
  CHECK(pending(*store) == Rows{18, 19, 20, 21});
  CHECK(vanished(file) == 0);
}

TEST_CASE("riders: a few wait a moment for company, and a commit is near for a moment") {
  const File file;
  const auto store = under_way(file, 3);
  store->ride({1, 2});
  store->save(message());
  CHECK(pending(*store).size() == 4);
  file.clock->advance(Riders::kPatience);
  store->save(message());
  CHECK(pending(*store) == Rows{3, 4, 5});
  CHECK(store->ride({3}).near);
  file.clock->advance(Riders::kNear + 1ms);
  CHECK_FALSE(store->ride({3}).near);
}

TEST_CASE("riders: at most so many ride at once, the oldest first") {
  const File file;
  const auto store = under_way(file, 100);
  store->ride(rows_up_to(100));
  store->save(message());
  CHECK(store->ride({}).recorded == rows_up_to(static_cast<std::int64_t>(Riders::kMost)));
}

TEST_CASE("riders: nothing rides with a rollback, without a message, after a settle or a release") {
  const File file;
  const auto store = under_way(file, 20);
  store->ride(rows_up_to(16));
  SUBCASE("a rollback") {
    const auto writing = store->begin();
    writing->enqueue(message());
    writing->rollback();
  }
  SUBCASE("no message") {
    const auto writing = store->begin();
    writing->database().exec("CREATE TABLE reading(celsius REAL)");
    writing->commit();
  }
  SUBCASE("a settle") {
    REQUIRE(store->settle(delivered({20})));
    store->save(message());
  }
  SUBCASE("a release") {
    store->release();
    store->save(message());
  }
  SUBCASE("an offer taken back") {
    store->ride({});
    store->save(message());
  }
  const Rows left = pending(*store);
  const Rows offered = rows_up_to(16);
  CHECK(std::includes(left.begin(), left.end(), offered.begin(), offered.end()));
  CHECK(store->ride({}).recorded.empty());
}

TEST_CASE("riders: what another relay has taken over does not ride") {
  const File file;
  const auto first = under_way(file, 20);
  ::unlink((file.path + "-relay").c_str());
  const auto second = file.open();
  REQUIRE(second->acquire());
  first->ride(rows_up_to(16));
  first->save(message());
  CHECK(pending(*second).size() == 21);
  CHECK(first->ride({}).recorded.empty());
}

TEST_CASE("riders: nothing rides where space is reserved for the relay's own records") {
  File file;
  file.options.reserve = true;
  file.options.max_file_bytes = 16U << 20U;
  const auto store = under_way(file, 20);
  store->ride(rows_up_to(16));
  store->save(message());
  CHECK(pending(*store).size() == 21);
}

TEST_CASE("riders: a message that somebody else has deleted counts as vanished") {
  const File file;
  const auto store = under_way(file, 20);
  Foreign{file.path}.exec("DELETE FROM satchel_message WHERE id = 5");
  store->ride(rows_up_to(16));
  store->save(message());
  CHECK(store->ride({}).recorded == rows_up_to(16));
  REQUIRE(store->settle(delivered({17})));
  CHECK(vanished(file) == 1);
  REQUIRE(store->settle(delivered({18})));
  CHECK(vanished(file) == 1);
}

TEST_CASE("riders: attempts of a message go with it") {
  const File file;
  const auto store = under_way(file, 20);
  satchel::Settlement failed;
  failed.failures.push_back({3, 1, false, std::nullopt, 0ms, "no"});
  REQUIRE(store->settle(failed));
  store->before_send({rows_up_to(20), 20});
  store->ride(rows_up_to(16));
  store->save(message());
  CHECK(pending(*store).size() == 5);
  CHECK(Foreign{file.path}.number("SELECT count(*) FROM satchel_attempt") == 0);
}

TEST_CASE("riders: a commit of unknown outcome leaves them to the relay, and nothing counts as vanished") {
  FaultVfs faults;
  File file;
  file.options.vfs = faults.name();
  const auto store = under_way(file, 20);
  store->ride(rows_up_to(16));
  faults.fail(FileOp::sync, FileKind::log, SQLITE_IOERR_FSYNC);
  CHECK_THROWS_AS(store->save(message()), satchel::OutcomeUnknown);
  REQUIRE(faults.failures() == 1);
  CHECK(store->ride(rows_up_to(16)).recorded.empty());
  REQUIRE(store->settle(delivered(rows_up_to(20))));
  CHECK(store->ride({}).recorded.empty());
  CHECK(pending(*store).empty());
  CHECK(vanished(file) == 0);
}

TEST_CASE("riders: rows that are not to be read cost the commit neither rows nor messages") {
  FaultVfs faults;
  File file;
  file.options.vfs = faults.name();
  const auto store = under_way(file, 20);
  store->ride(rows_up_to(16));
  // What rides is refused by the file itself, in the middle.
  Foreign{file.path}.exec(
      "CREATE TRIGGER stop BEFORE DELETE ON satchel_message WHEN old.id = 7 BEGIN SELECT raise(ABORT, 'no'); "
      "END");
  store->save(message());
  CHECK(pending(*store).size() == 21);
  CHECK(store->ride({}).recorded.empty());
  Foreign{file.path}.exec("DROP TRIGGER stop");
  REQUIRE(store->settle(delivered(rows_up_to(16))));
  CHECK(pending(*store).size() == 5);
  CHECK(vanished(file) == 0);
}

TEST_CASE("riders: an acknowledgement that rides writes next to nothing") {
  constexpr int kMessages = 200;
  const auto written = [](bool riding) {
    FaultVfs faults;
    File file;
    file.options.vfs = faults.name();
    const auto store = file.open();
    REQUIRE(store->acquire());
    faults.reset_traffic();
    for (int i = 0; i < kMessages; ++i) {
      const std::int64_t row = store->save(message(std::string(100, 'p'))).row;
      if (!riding) continue;
      store->before_send({{row}, row});
      store->ride({row});
      file.clock->advance(1s);
    }
    if (riding) CHECK(pending(*store).size() == 1);
    return faults.traffic().bytes_written;
  };
  const std::uint64_t alone = written(false);
  CHECK(written(true) <= alone + std::uint64_t{300} * kMessages);
}

TEST_CASE("riders: what is on its way, or recorded and not yet told, is not offered again") {
  Riders riders;
  const satchel::BootTime now{1h};
  riders.offer(1, rows_up_to(16), now);
  const auto group = riders.take(now);
  REQUIRE(group);
  CHECK(group->rows == rows_up_to(16));
  riders.offer(1, rows_up_to(17), now);
  riders.arrived(16);
  CHECK(riders.take(now + 1s)->rows == Rows{17});
  riders.thrown_off(false);
  riders.offer(1, rows_up_to(18), now);
  CHECK(riders.take(now + 1s)->rows == Rows{17, 18});
  riders.thrown_off(false);
  CHECK(riders.ended().recorded == rows_up_to(16));
}
