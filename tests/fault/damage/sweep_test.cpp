// SPDX-License-Identifier: MIT
//
// One bit at a time, where a bit counts for more than its own row: the header, the pages of the schema, the
// relay file. TEST_DAMAGE_STRIDE: every so many bytes.
#include "fault/damage/tally.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace {

using damage::Files;
using damage::Outcome;
using damage::Specimen;
using damage::Tally;

std::size_t stride() {
  return static_cast<std::size_t>(support::size_from_environment("TEST_DAMAGE_STRIDE", 97));
}

/// Flips a bit at one place after the other, and calls `look` with the path of the file.
template <class Look>
void sweep(const Specimen& specimen, std::string Files::*file, const std::vector<std::size_t>& places,
           const Look& look) {
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  for (std::size_t i = 0; i < places.size(); i += stride()) {
    Files files = specimen.files;
    // The bits take turns, so that of a number each is hit.
    damage::flip_bit(files.*file, places[i], static_cast<unsigned>(i % 8));
    CAPTURE(places[i]);
    CAPTURE(i % 8);
    files.place(path);
    look(path, files);
  }
}

/// All but the holes of a file: it has its records far apart.
std::vector<std::size_t> places_in_use(std::string_view file) {
  constexpr std::size_t kBlock = 512;
  std::vector<std::size_t> places;
  for (std::size_t block = 0; block < file.size(); block += kBlock) {
    if (file.substr(block, kBlock).find_first_not_of('\0') == std::string_view::npos) continue;
    for (std::size_t at = block; at < std::min(block + kBlock, file.size()); ++at) places.push_back(at);
  }
  return places;
}

TEST_CASE("damage: a flipped bit in the header or the schema costs nothing that is not told") {
  satchel::Options options;
  options.check_at_open = true;
  Tally tally{.keys_may_change = true};
  for (const bool in_log : {false, true}) {
    CAPTURE(in_log);
    const Specimen specimen = damage::make_specimen(3, in_log);
    sweep(specimen, &Files::database, damage::vital_places(specimen), [&](const std::string& path, Files&) {
      const Outcome outcome = damage::live_on(path, options);
      CHECK(outcome.failure == "");
      CHECK(tally.take(specimen, outcome) == "");
    });
  }
  CHECK(tally.salvaged > 0);
  CHECK(tally.untouched > 0);
  tally.report("a bit flipped in the header or the schema; check_at_open");
}

TEST_CASE("damage: a flipped bit in the relay file costs no message") {
  const Specimen specimen = damage::make_specimen(3, true);
  Tally tally;
  sweep(specimen, &Files::relay, places_in_use(specimen.files.relay), [&](const std::string& path, Files&) {
    const Outcome outcome = damage::live_on(path, {});
    CHECK(outcome.failure == "");
    CHECK(tally.take(specimen, outcome) == "");
  });
  CHECK(tally.files > 0);
  CHECK(tally.messages_lost + tally.rows_lost == 0);
  tally.report("a bit flipped in the relay file");
}

TEST_CASE("damage: where damage is refused a file goes on whole, or stays as it is") {
  satchel::Options options;
  options.check_at_open = true;
  options.on_damage = satchel::OnDamage::refuse;
  const Specimen specimen = damage::make_specimen(3, false);
  Tally tally{.keys_may_change = true};
  long refused = 0;
  long told = 0;  // by SQLite, to the application that reads its rows
  sweep(specimen, &Files::database, damage::vital_places(specimen),
        [&](const std::string& path, Files& files) {
          const Outcome outcome = damage::live_on(path, options);
          CHECK(outcome.salvages.empty());
          CHECK_FALSE(std::filesystem::exists(path + ".damaged-1"));
          if (outcome.opened) {
            CHECK(outcome.failure == "");
            const long untouched = tally.untouched;
            CHECK(tally.take(specimen, outcome) == "");
            // What is missing is what the application cannot read, as SQLite tells it.
            if (tally.untouched == untouched) {
              ++told;
              CHECK(outcome.error != "");
            }
          } else {
            ++refused;
            CHECK(Files::of(path).database == files.database);
          }
        });
  CHECK(refused > 0);
  CHECK(tally.messages_lost == 0);
  CHECK(tally.untouched + told == tally.files);
  support::Report report{"damage", "a bit flipped in the header or the schema; check_at_open, refuse"};
  report.figure("files", tally.files + refused);
  report.figure("nothing missing", tally.untouched);
  report.figure("refused by SQLite to the application", told);
  report.figure("refused, and left as it was", refused);
}

}  // namespace
