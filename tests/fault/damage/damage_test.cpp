// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT
#include "fault/damage/tally.hpp"
#include "support/parts.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>

namespace {

using damage::Files;
using damage::Injury;
using damage::Outcome;
using damage::Specimen;
using damage::Tally;

using Specimens = std::array<Specimen, 2>;

/// Injures a copy of a specimen, the one whose turn it is, and looks what comes of it.
void injure_one(const Specimens& specimens, long round, const std::string& path,
                const satchel::Options& options, bool silence_allowed, Tally& tally) {
  std::mt19937 random{static_cast<std::uint32_t>(round)};
  const Specimen& specimen = specimens[static_cast<std::size_t>(round) % specimens.size()];
  Files files = specimen.files;
  const Injury injury = damage::injure(files, random);
  CAPTURE(round);
  CAPTURE(injury.what);
  CAPTURE(injury.file);
  CAPTURE(injury.at);
  files.place(path);
  const Outcome outcome = damage::live_on(path, options);
  CHECK(outcome.failure == "");
  const std::string silent = tally.take(specimen, outcome);
  if (!silence_allowed) CHECK(silent == "");
}

/// Injures copies of two specimens, one with a part in the log and one without.
Tally injure_many(const satchel::Options& options, bool silence_allowed) {
  const long first = support::size_from_environment("TEST_DAMAGE_FROM", 1);
  const long rounds = support::size_from_environment("TEST_DAMAGES", 400);
  const Specimens specimens{damage::make_specimen(1, true), damage::make_specimen(2, false)};
  const Tally all = support::in_parts<Tally>([&](unsigned part, unsigned parts) {
    const support::TempDir directory{support::TempDir::Where::memory};
    // Garbage inside a key leaves a row under another one, which no structure gives away.
    Tally mine{.keys_may_change = true};
    for (long round = first + part; round <= rounds; round += parts)
      injure_one(specimens, round, directory.path() + "/device.db", options, silence_allowed, mine);
    return mine;
  });
  CHECK(all.salvaged > 0);
  CHECK(all.messages_saved > all.messages_lost);
  return all;
}

TEST_CASE("damage: with a check at open, what can be read goes on and what is lost is told") {
  satchel::Options options;
  options.check_at_open = true;
  injure_many(options, false).report("database, log or relay file injured; check_at_open");
}

/// A sound file with other bytes at one place comes through without a loss.
void check_header(const Specimen& specimen, std::size_t at, const std::string& bytes,
                  const satchel::Options& options) {
  CAPTURE(at);
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  Files files = specimen.files;
  files.database.replace(at, bytes.size(), bytes);
  files.place(path);
  const Outcome outcome = damage::live_on(path, options);
  CHECK(outcome.failure == "");
  CHECK(outcome.salvages.size() == 1);
  Tally tally;
  CHECK(tally.take(specimen, outcome) == "");
  CHECK(tally.messages_lost + tally.rows_lost == 0);
}

TEST_CASE("damage: a free list that leads nowhere is found, though a view comes first in the schema") {
  satchel::Options options;
  options.check_at_open = true;
  const Specimen specimen = damage::make_specimen(2, false);
  check_header(specimen, 32, std::string{"\x00\x00\x1c\x51\xff\x57\x29\xe4", 8}, options);
  check_header(specimen, 36, std::string{"\x00\x00\x00\x63", 4}, options);
}

TEST_CASE(
    "damage: a file that says that only a newer SQLite can write it is salvaged, with or without a check") {
  const Specimen specimen = damage::make_specimen(2, false);
  check_header(specimen, 18, "\x12", {});
  satchel::Options options;
  options.check_at_open = true;
  check_header(specimen, 18, "\x42", options);
}

// SQLite keeps no checksum of a page: a cell that has vanished from one cannot be missed by reading past it.
TEST_CASE("damage: without a check every file still comes to its end, in one life or the next") {
  injure_many({}, true).report("the same without the check");
}

}  // namespace

int main(int count, char** arguments) { return support::run_and_report(count, arguments); }
