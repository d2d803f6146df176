// SPDX-License-Identifier: MIT
#include "store/ages.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace satchel::store;

namespace {
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kWall = 1'790'000'000'000;
}  // namespace

TEST_CASE("ages: within one boot the age is exact, whatever the wall clock says") {
  Present present{3, 50'000, std::nullopt, false};
  CHECK(age_of(Moment{3, 20'000, std::nullopt}, present) == 30'000);
  present.wall_offset = kWall;
  present.trusted = true;
  CHECK(age_of(Moment{3, 20'000, kWall - 1'000'000}, present) == 30'000);
}

TEST_CASE("ages: a time in the future of the same boot is age zero") {
  CHECK(age_of(Moment{3, 60'000, std::nullopt}, Present{3, 50'000, std::nullopt, false}) == 0);
}

TEST_CASE("ages: across boots the wall time counts when both offsets are known and the clock is trusted") {
  // Made 10 s into a boot that began at kWall; now 5 s into one that began an hour later.
  const Moment made{1, 10'000, kWall};
  const std::int64_t hour = 3'600'000;
  CHECK(age_of(made, Present{2, 5'000, kWall + hour, true}) == hour - 5'000);
}

TEST_CASE("ages: across boots only the time since this boot counts while something is unknown") {
  const Moment dated{1, 10'000, kWall};
  CHECK(age_of(dated, Present{2, 5'000, kWall + 3'600'000, false}) == 5'000);
  CHECK(age_of(dated, Present{2, 5'000, std::nullopt, true}) == 5'000);
  CHECK(age_of(Moment{1, 10'000, std::nullopt}, Present{2, 5'000, kWall, true}) == 5'000);
}

TEST_CASE("ages: a boot that may only have changed its name makes nothing older than its clock says") {
  const Moment made{1, 40'000, kWall};
  Present present{2, 50'000, std::nullopt, false, 45'000};
  CHECK(age_of(made, present) == 10'000);
  CHECK(age_of(Moment{1, 0, std::nullopt}, present) == 50'000);
  CHECK(age_of(Moment{1, kMin, std::nullopt}, present) == kMax);
  present.wall_offset = kWall;
  present.trusted = true;
  CHECK(age_of(made, present) == 10'000);
  present.wall_offset = kWall + 3'600'000;
  CHECK(age_of(made, present) == 3'610'000);
  // Opened at a time of the clock that was over when it was made: the clock has begun anew.
  present = {2, 50'000, std::nullopt, false, 39'999};
  CHECK(age_of(made, present) == 50'000);
}

TEST_CASE("ages: a wall clock that went back between boots does not make a message younger than this boot") {
  CHECK(age_of(Moment{1, 10'000, kWall}, Present{2, 5'000, kWall - 86'400'000, true}) == 5'000);
}

TEST_CASE("ages: of boots whose clocks are more than ten years apart only this one counts") {
  const Moment made{1, 10'000, kWall};
  const std::int64_t ten_years = 3653LL * 86'400'000;
  CHECK(age_of(made, Present{2, 5'000, kWall + 5'000 + ten_years, true}) == ten_years);
  CHECK(age_of(made, Present{2, 5'000, kWall + 5'001 + ten_years, true}) == 5'000);
  CHECK(age_of(Moment{1, 10'000, 0}, Present{2, 5'000, kWall, true}) == 5'000);
}

TEST_CASE("ages: a moment without boot or time has no age and no date") {
  const Present present{2, 5'000, kWall, true};
  CHECK_FALSE(age_of(Moment{}, present));
  CHECK_FALSE(age_of(Moment{std::nullopt, 5, kWall}, present));
  CHECK_FALSE(age_of(Moment{2, std::nullopt, kWall}, present));
  CHECK_FALSE(wall_time_of(Moment{2, std::nullopt, kWall}));
  CHECK_FALSE(wall_time_of(Moment{2, 5, std::nullopt}));
  CHECK(wall_time_of(Moment{2, 5, kWall})->time_since_epoch().count() == kWall + 5);
}

TEST_CASE("ages: numbers at the limits of the type neither wrap nor trap") {
  CHECK(add(kMax, 1) == kMax);
  CHECK(add(kMin, -1) == kMin);
  CHECK(subtract(kMin, 1) == kMin);
  CHECK(subtract(kMax, -1) == kMax);
  CHECK(subtract(0, kMin) == kMax);
  CHECK(age_of(Moment{1, kMin, std::nullopt}, Present{1, kMax, std::nullopt, false}) == kMax);
  CHECK(age_of(Moment{1, kMax, kMax}, Present{2, 1, kMin, true}) == 1);
  CHECK(remaining_of(kMin, kMax).count() == kMin);
  CHECK(remaining_of(1000, 400).count() == 600);
  CHECK(to_ms(from_ms(kMax)) > 0);
  CHECK(to_ms(from_ms(kMin)) < 0);
  CHECK(to_ms(from_ms(1234)) == 1234);
}
