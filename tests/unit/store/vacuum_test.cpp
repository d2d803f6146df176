// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <string>
#include <vector>

using namespace store_test;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t kMostFree = 256U << 10U;
constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kMessages = 3000;
/// Longer than a drain pauses.
constexpr milliseconds kLong{1000};

struct Pages {
  std::int64_t all = 0;
  std::int64_t free = 0;
};

/// A relay's file that 3000 messages of 1 KiB have passed through or still fill.
struct Backlog : File {
  explicit Backlog(std::uint64_t max_free_bytes = kMostFree) {
    options.max_free_bytes = max_free_bytes;
    { const auto creating = open(); }
    start();
  }

  void start() {
    store = open();
    REQUIRE(store->acquire());
    const auto writing = store->begin();
    for (std::int64_t i = 0; i < kMessages; ++i) writing->enqueue(message(std::string(1000, 'x')));
    writing->commit();
  }

  /// Records the first ones up to this row as delivered.
  void settle(std::int64_t first, std::int64_t last) const {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(last - first + 1));
    std::iota(rows.begin(), rows.end(), first);
    REQUIRE(store->settle(delivered(rows)));
  }

  Pages pages() const {
    Foreign foreign{path};
    return {foreign.number("PRAGMA page_count"), foreign.number("PRAGMA freelist_count")};
  }

  /// What the relay does while nothing else happens; returns how many rounds had to be.
  int idle() const {
    int rounds = 0;
    for (auto next = store->look().next; next; next = store->look().next) {
      REQUIRE(++rounds < 10'000);
      clock->set_now(*next);
      store->look();
      store->maintain();
    }
    return rounds;
  }

  std::shared_ptr<Store> store;
};

}  // namespace

TEST_CASE("vacuum: after the drain the file is cut to what it needs and may have free, step by step") {
  const Backlog file;
  const Pages full = file.pages();
  CHECK(full.all > kMessages / 4);
  file.settle(1, kMessages);
  CHECK(file.pages().all == full.all);
  file.clock->advance(kLong);
  std::int64_t before = full.all;
  int steps = 0;
  for (auto next = file.store->look().next; next; next = file.store->look().next) {
    file.store->maintain();
    const std::int64_t now = file.pages().all;
    CHECK(before - now <= 34);  // 128 KiB, and what tells of pages that are gone
    if (now < before) ++steps;
    before = now;
    if (file.store->look().next) file.clock->set_now(*file.store->look().next);
    REQUIRE(steps < 1000);
  }
  CHECK(steps > 10);
  const Pages left = file.pages();
  CHECK(left.free * kPage <= static_cast<std::int64_t>(kMostFree));
  CHECK(left.free * kPage > static_cast<std::int64_t>(kMostFree) - (160 << 10));
  // At once, not at some later checkpoint.
  CHECK(static_cast<std::int64_t>(std::filesystem::file_size(file.path)) == left.all * kPage);
  CHECK(Foreign{file.path}.text("PRAGMA integrity_check") == "ok");
  // Nothing more is to be done.
  CHECK(file.idle() == 0);
}

TEST_CASE("vacuum: messages at the end of the file survive being moved") {
  const Backlog file;
  file.settle(1, kMessages - 50);
  file.clock->advance(kLong);
  CHECK(file.idle() > 0);
  CHECK(file.pages().all < 200);
  std::vector<std::int64_t> last(50);
  std::iota(last.begin(), last.end(), kMessages - 49);
  CHECK(pending(*file.store) == last);
  CHECK(Foreign{file.path}.text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("vacuum: nothing is moved while the backlog is being drained") {
  const Backlog file;
  const std::int64_t full = file.pages().all;
  for (std::int64_t first = 1; first <= kMessages / 2; first += 100) {
    file.settle(first, first + 99);
    file.clock->advance(milliseconds{100});
    file.store->look();
    file.store->maintain();
  }
  CHECK(file.pages().all == full);
  CHECK(file.pages().free > full / 3);
}

TEST_CASE("vacuum: traffic that never ends does not keep a file large that is nearly empty") {
  const Backlog file;
  const std::int64_t full = file.pages().all;
  file.settle(1, kMessages);
  for (int i = 0; i < 500; ++i) {
    const std::int64_t row = file.store->save(message()).row;
    file.clock->advance(milliseconds{50});
    file.settle(row, row);
    file.store->look();
    file.store->maintain();
  }
  CHECK(file.pages().all < full / 4);
}

TEST_CASE("vacuum: without the option the file keeps its size") {
  const Backlog file{0};
  const std::int64_t full = file.pages().all;
  file.settle(1, kMessages);
  file.clock->advance(kLong);
  CHECK(file.idle() == 0);
  CHECK(file.pages().all == full);
}

TEST_CASE("vacuum: a file that was made without it keeps its size until it is made anew") {
  Backlog file{0};
  file.settle(1, kMessages);
  file.options.max_free_bytes = kMostFree;
  file.store.reset();
  file.start();
  file.settle(kMessages + 1, 2 * kMessages);
  const std::int64_t full = file.pages().all;
  file.clock->advance(kLong);
  file.idle();
  CHECK(file.pages().all == full);
  file.store.reset();
  Foreign{file.path}.exec("PRAGMA auto_vacuum = 2; VACUUM");
  file.start();
  file.settle(2 * kMessages + 1, 3 * kMessages);
  file.clock->advance(kLong);
  file.idle();
  CHECK(file.pages().all < full / 4);
  CHECK(file.store->save(message()).row == 3 * kMessages + 1);
}

TEST_CASE("vacuum: space that was free when the relay began is given back, too") {
  Backlog file;
  file.settle(1, kMessages);
  file.store.reset();
  file.store = file.open();
  REQUIRE(file.store->acquire());
  file.clock->advance(kLong);
  CHECK(file.idle() > 0);
  CHECK(file.pages().all < 200);
}

TEST_CASE("vacuum: a transaction of the application goes first, and is not waited for") {
  const Backlog file;
  file.settle(1, kMessages);
  const std::int64_t full = file.pages().all;
  file.clock->advance(kLong);
  {
    const auto writing = file.store->begin();
    file.store->maintain();
    writing->commit();
  }
  CHECK(file.pages().all == full);
  file.idle();
  CHECK(file.pages().all < full / 4);
}
