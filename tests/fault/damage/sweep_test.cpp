// SPDX-License-Identifier: MIT
//
// One bit at a time, where a bit counts for more than its own row: the header, the pages of the schema, the
// relay file. TEST_DAMAGE_STRIDE: every so many bytes.
#include "fault/damage/tally.hpp"
#include "support/parts.hpp"
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

/// What became of all files.
struct Count {
  Tally tally;
  long refused = 0;
  long told = 0;  ///< by SQLite, to the application that reads its rows

  Count& operator+=(const Count& more) {
    tally += more.tally;
    refused += more.refused;
    told += more.told;
    return *this;
  }
};

/// Flips a bit at one place after the other, and calls `look` with the path of the file.
template <class Look>
Count sweep(const Specimen& specimen, std::string Files::*file, const std::vector<std::size_t>& places,
            bool keys_may_change, const Look& look) {
  return support::in_parts<Count>([&](unsigned part, unsigned parts) {
    const support::TempDir directory{support::TempDir::Where::memory};
    const std::string path = directory.path() + "/device.db";
    Count mine{.tally = {.keys_may_change = keys_may_change}};
    for (std::size_t i = part * stride(); i < places.size(); i += parts * stride()) {
      Files files = specimen.files;
      // The bits take turns, so that of a number each is hit.
      damage::flip_bit(files.*file, places[i], static_cast<unsigned>(i % 8));
      CAPTURE(places[i]);
      CAPTURE(i % 8);
      files.place(path);
      look(path, files, mine);
    }
    return mine;
  });
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
  Tally all;
  for (const bool in_log : {false, true}) {
    CAPTURE(in_log);
    const Specimen specimen = damage::make_specimen(3, in_log);
    all += sweep(specimen, &Files::database, damage::vital_places(specimen), true,
                 [&](const std::string& path, const Files&, Count& count) {
                   const Outcome outcome = damage::live_on(path, options);
                   CHECK(outcome.failure == "");
                   CHECK(count.tally.take(specimen, outcome) == "");
                 })
               .tally;
  }
  CHECK(all.salvaged > 0);
  CHECK(all.untouched > 0);
  all.report("a bit flipped in the header or the schema; check_at_open");
}

TEST_CASE("damage: a flipped bit in the relay file costs no message") {
  const Specimen specimen = damage::make_specimen(3, true);
  const Tally all = sweep(specimen, &Files::relay, places_in_use(specimen.files.relay), false,
                          [&](const std::string& path, const Files&, Count& count) {
                            const Outcome outcome = damage::live_on(path, {});
                            CHECK(outcome.failure == "");
                            CHECK(count.tally.take(specimen, outcome) == "");
                          })
                        .tally;
  CHECK(all.files > 0);
  CHECK(all.messages_lost + all.rows_lost == 0);
  all.report("a bit flipped in the relay file");
}

TEST_CASE("damage: where damage is refused a file goes on whole, or stays as it is") {
  satchel::Options options;
  options.check_at_open = true;
  options.on_damage = satchel::OnDamage::refuse;
  const Specimen specimen = damage::make_specimen(3, false);
  const Count all = sweep(specimen, &Files::database, damage::vital_places(specimen), true,
                          [&](const std::string& path, const Files& files, Count& count) {
                            const Outcome outcome = damage::live_on(path, options);
                            CHECK(outcome.salvages.empty());
                            CHECK_FALSE(std::filesystem::exists(path + ".damaged-1"));
                            if (!outcome.opened) {
                              ++count.refused;
                              CHECK(Files::of(path).database == files.database);
                              return;
                            }
                            CHECK(outcome.failure == "");
                            const long untouched = count.tally.untouched;
                            CHECK(count.tally.take(specimen, outcome) == "");
                            // What is missing is what the application cannot read, as SQLite tells it.
                            if (count.tally.untouched == untouched) {
                              ++count.told;
                              CHECK(outcome.error != "");
                            }
                          });
  CHECK(all.refused > 0);
  CHECK(all.tally.messages_lost == 0);
  CHECK(all.tally.untouched + all.told == all.tally.files);
  support::Report report{"damage", "a bit flipped in the header or the schema; check_at_open, refuse"};
  report.figure("files", all.tally.files + all.refused);
  report.figure("nothing missing", all.tally.untouched);
  report.figure("refused by SQLite to the application", all.told);
  report.figure("refused, and left as it was", all.refused);
}

}  // namespace
