// SPDX-License-Identifier: MIT
#include <satchel/auditor.hpp>
#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace satchel;
using Arrival = Auditor::Arrival;

namespace {

Identity identity(std::uint8_t byte) {
  Identity made{};
  made.fill(byte);
  return made;
}

const Identity kOne = identity(0xab);
const std::string kHex = "abababababababababababababababab";

std::vector<AuditRange> ranges(const std::vector<AuditGap>& gaps) {
  std::vector<AuditRange> found;
  for (const AuditGap& gap : gaps) found.push_back(gap.range);
  return found;
}

using Ranges = std::vector<AuditRange>;

}  // namespace

TEST_CASE("auditor: what arrives in any order leaves the gaps that are there") {
  Auditor auditor;
  for (const std::int64_t row : {5, 3, 9, 4, 7}) CHECK(auditor.arrived({kOne, row}) == Arrival::first);
  CHECK(ranges(auditor.missing()) == Ranges{{6, 6}, {8, 8}});
  CHECK(auditor.arrived({kOne, 8}) == Arrival::first);
  CHECK(auditor.arrived({kOne, 6}) == Arrival::first);
  CHECK(auditor.missing().empty());
}

TEST_CASE("auditor: copies are told from messages") {
  Auditor auditor;
  CHECK(auditor.arrived(kHex + "-7") == Arrival::first);
  CHECK(auditor.arrived(kHex + "-7") == Arrival::duplicate);
  CHECK(auditor.arrived(kHex + "-8") == Arrival::first);
  CHECK(auditor.arrived({kOne, 7}) == Arrival::duplicate);
  CHECK(auditor.counts().first == 2);
  CHECK(auditor.counts().duplicates == 2);
}

TEST_CASE("auditor: what is not an id is counted and leaves nothing behind") {
  Auditor auditor;
  CHECK(auditor.arrived("nonsense") == Arrival::forgotten);
  CHECK(auditor.arrived({kOne, 0}) == Arrival::forgotten);
  CHECK(auditor.arrived({kOne, -5}) == Arrival::forgotten);
  CHECK(auditor.counts().forgotten == 3);
  CHECK(auditor.missing().empty());
}

TEST_CASE("auditor: identities are looked at by themselves") {
  Auditor auditor;
  auditor.arrived({kOne, 1});
  auditor.arrived({identity(2), 3});
  auditor.arrived({kOne, 3});
  CHECK(auditor.missing() == std::vector<AuditGap>{{kOne, {2, 2}}});
}

TEST_CASE("auditor: with a beginning and an end what is missing there is missing too") {
  Auditor auditor;
  auditor.begins(kOne, 1);
  CHECK(auditor.missing().empty());
  auditor.reaches(kOne, 10);
  CHECK(ranges(auditor.missing()) == Ranges{{1, 10}});
  auditor.arrived({kOne, 4});
  CHECK(ranges(auditor.missing()) == Ranges{{1, 3}, {5, 10}});
  auditor.begins(kOne, 3);
  CHECK(ranges(auditor.missing()) == Ranges{{3, 3}, {5, 10}});
  CHECK(auditor.arrived({kOne, 2}) == Arrival::forgotten);
  auditor.begins(kOne, 6);
  CHECK(ranges(auditor.missing()) == Ranges{{6, 10}});
  CHECK(ranges(auditor.missing(0)).empty());
}

TEST_CASE("auditor: a gap that is announced is none") {
  Auditor auditor;
  auditor.arrived({kOne, 1});
  auditor.arrived({kOne, 10});
  CHECK(auditor.announced(R"({"identity":")" + kHex +
                          R"(","dropped":[{"reason":"quota","topic":"t","rows":[[2,4],[6,6]]},)"
                          R"({"reason":"expired","topic":"u","rows":[[7,12]],"sequences":[5,[8,9]]}]})"));
  CHECK(ranges(auditor.missing()) == Ranges{{5, 5}});
  CHECK(auditor.counts().explained == 9);
  // It may have been with a sink when it was dropped.
  CHECK(auditor.arrived({kOne, 3}) == Arrival::first);
  CHECK(auditor.arrived({kOne, 3}) == Arrival::duplicate);
  CHECK(auditor.arrived({kOne, 12}) == Arrival::first);
  CHECK(ranges(auditor.missing()) == Ranges{{5, 5}});
}

TEST_CASE("auditor: an announcement says reason, topic, rows and numbers") {
  const auto announcement = Announcement::parse(
      R"({"identity":")" + kHex +
      R"(","dropped":[{"reason":"coalesced","topic":"t","rows":[[2,4]],"sequences":[5,[8,9]]}]})");
  REQUIRE(announcement.has_value());
  CHECK(announcement->identity == kOne);
  REQUIRE(announcement->dropped.size() == 1);
  CHECK(announcement->dropped[0].reason == DropReason::coalesced);
  CHECK(announcement->dropped[0].topic == "t");
  CHECK(announcement->dropped[0].rows == Ranges{{2, 4}});
  CHECK(announcement->dropped[0].sequences == Ranges{{5, 5}, {8, 9}});
}

TEST_CASE("auditor: a payload that is no announcement is refused") {
  const std::string id = R"({"identity":")" + kHex + R"(",)";
  Auditor auditor;
  for (const std::string& payload :
       {std::string{}, std::string{"null"}, std::string{"[]"}, std::string{"{}"}, id + "\"dropped\":1}",
        std::string{R"({"identity":"xy","dropped":[]})"}, id + R"("dropped":[1]})",
        id + R"("dropped":[{"reason":"other","rows":[]}]})",
        id + R"("dropped":[{"reason":"quota","rows":[[4,2]]}]})",
        id + R"("dropped":[{"reason":"quota","rows":[[0,2]]}]})",
        id + R"("dropped":[{"reason":"quota","rows":[[1,99999999999999999999]]}]})",
        id + R"("dropped":[{"reason":"quota","rows":[[1,2,3]]}]})",
        id + R"("dropped":[{"reason":"quota","rows":{}}]})", std::string(1'000'000, '[')}) {
    CAPTURE(payload.substr(0, 80));
    CHECK_FALSE(auditor.announced(payload));
  }
  CHECK(auditor.announced(id + R"("dropped":[]})"));
  CHECK(auditor.missing().empty());
}

TEST_CASE("auditor: beyond its memory the oldest gap is given up and said, never silently") {
  std::vector<AuditGap> lost;
  Auditor auditor{{.ranges = 3, .identities = 2, .lost = [&](const AuditGap& gap) { lost.push_back(gap); }}};
  for (const std::int64_t row : {1, 3, 5}) auditor.arrived({kOne, row});
  CHECK(lost.empty());
  auditor.arrived({kOne, 9});
  CHECK(lost == std::vector<AuditGap>{{kOne, {2, 2}}});
  CHECK(auditor.arrived({kOne, 2}) == Arrival::forgotten);
  CHECK(auditor.arrived({kOne, 1}) == Arrival::forgotten);
  CHECK(ranges(auditor.missing()) == Ranges{{4, 4}, {6, 8}});
  // An identity that nobody hears of any more makes room for another.
  auditor.arrived({identity(2), 1});
  CHECK(lost.size() == 1);
  auditor.arrived({identity(3), 1});
  CHECK(lost == std::vector<AuditGap>{{kOne, {2, 2}}, {kOne, {4, 4}}, {kOne, {6, 8}}});
  CHECK(auditor.counts().lost == 5);
}

TEST_CASE("auditor: with room for a single stretch each gap is given up as it appears") {
  Auditor auditor{{.ranges = 1, .identities = 1}};
  for (std::int64_t row = 1; row <= 1001; row += 10) CHECK(auditor.arrived({kOne, row}) == Arrival::first);
  CHECK(auditor.missing().empty());
  CHECK(auditor.counts().lost == 900);
}

TEST_CASE("auditor: limits out of their range are refused") {
  CHECK_THROWS_AS(Auditor({.ranges = 0}), InvalidOption);
  CHECK_THROWS_AS(Auditor({.identities = 0}), InvalidOption);
  CHECK_THROWS_AS(Auditor({.ranges = 10'000'001}), InvalidOption);
  CHECK_NOTHROW(Auditor({.ranges = 10'000'000, .identities = 10'000'000}));
}

TEST_CASE("auditor: the largest numbers do not overflow") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  Auditor auditor;
  CHECK(auditor.arrived({kOne, kMost}) == Arrival::first);
  CHECK(auditor.arrived({kOne, 1}) == Arrival::first);
  CHECK(ranges(auditor.missing()) == Ranges{{2, kMost - 1}});
  auditor.explained(kOne, {2, kMost});
  CHECK(auditor.missing().empty());
  CHECK(auditor.arrived({kOne, kMost}) == Arrival::duplicate);
  auditor.reaches(kOne, kMost);
  CHECK(auditor.missing().empty());
}

namespace {

/// Remembers everything, number by number.
struct Naive {
  std::set<std::int64_t> arrived;
  std::set<std::int64_t> explained;

  Ranges missing() const {
    std::set<std::int64_t> all = arrived;
    all.insert(explained.begin(), explained.end());
    Ranges gaps;
    for (auto at = all.begin(); at != all.end() && std::next(at) != all.end(); ++at) {
      if (*std::next(at) > *at + 1) gaps.push_back({*at + 1, *std::next(at) - 1});
    }
    return gaps;
  }
};

}  // namespace

TEST_CASE("auditor: agrees with a set of all ids, in random order, with copies and drops") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random{seed};
    Auditor auditor;
    Naive naive;
    std::uint64_t copies = 0;
    const std::int64_t span = 1 + static_cast<std::int64_t>(random() % 300);
    for (int step = 0; step < 400; ++step) {
      const std::int64_t row = 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(span));
      if (random() % 5 == 0) {
        const std::int64_t last = row + static_cast<std::int64_t>(random() % 6);
        auditor.explained(kOne, {row, last});
        for (std::int64_t one = row; one <= last; ++one) naive.explained.insert(one);
      } else {
        const bool fresh = naive.arrived.insert(row).second;
        copies += fresh ? 0 : 1;
        REQUIRE(auditor.arrived({kOne, row}) == (fresh ? Arrival::first : Arrival::duplicate));
      }
      if (step % 20 == 0) REQUIRE(ranges(auditor.missing()) == naive.missing());
    }
    REQUIRE(ranges(auditor.missing()) == naive.missing());
    CHECK(auditor.counts().duplicates == copies);
    CHECK(auditor.counts().lost == 0);
  }
}

TEST_CASE("auditor: in little memory every message is still accounted for exactly once") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random{seed};
    std::set<std::int64_t> lost;
    std::set<std::int64_t> arrived;
    std::set<std::int64_t> explained;
    std::set<std::int64_t> late;
    Auditor auditor{{.ranges = 1 + random() % 8, .identities = 1, .lost = [&](const AuditGap& gap) {
                       for (std::int64_t row = gap.range.first; row <= gap.range.last; ++row)
                         REQUIRE(lost.insert(row).second);
                     }}};
    auditor.begins(kOne, 1);
    std::vector<std::int64_t> rows(2000);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i) + 1;
    // Out of order within a few dozen places, as networks deliver.
    for (std::size_t i = 0; i + 40 < rows.size(); ++i) std::swap(rows[i], rows[i + random() % 40]);
    for (const std::int64_t row : rows) {
      if (random() % 10 == 0) continue;
      if (random() % 10 == 0) {
        if (!arrived.contains(row) && !lost.contains(row)) explained.insert(row);
        auditor.explained(kOne, {row, row});
        continue;
      }
      switch (auditor.arrived({kOne, row})) {
        case Arrival::first:
          REQUIRE_FALSE(lost.contains(row));
          arrived.insert(row);
          break;
        case Arrival::duplicate:
          FAIL("none was sent twice");
          break;
        case Arrival::forgotten:
          late.insert(row);
          REQUIRE(lost.contains(row));
          break;
      }
    }
    auditor.reaches(kOne, 2000);
    std::set<std::int64_t> missing;
    for (const AuditGap& gap : auditor.missing()) {
      for (std::int64_t row = gap.range.first; row <= gap.range.last; ++row) missing.insert(row);
    }
    for (std::int64_t row = 1; row <= 2000; ++row) {
      const std::size_t times =
          arrived.count(row) + explained.count(row) + lost.count(row) + missing.count(row);
      REQUIRE(times == 1);
    }
    CHECK(auditor.counts().lost == lost.size());
    CHECK(auditor.counts().forgotten == late.size());
  }
}
