// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT
#include "fault/damage/specimen.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace {

using damage::Files;
using damage::Injury;
using damage::Outcome;
using damage::Specimen;
using support::Report;

/// How often what became of a file.
struct Tally {
  long files = 0;
  long untouched = 0;  ///< went on as if nothing had happened, and nothing was missing
  long salvaged = 0;
  long messages_saved = 0;
  long messages_lost = 0;  ///< and told
  long altered = 0;        ///< bytes inside a value: SQLite keeps no checksum of those
  long rows_saved = 0;
  long rows_lost = 0;
  long silent = 0;
};

using Contents = std::map<std::int64_t, std::string>;

/// What the outbox still has of the messages, wherever they ended.
std::string fate(const Specimen& specimen, const Outcome& outcome, Tally& tally) {
  Contents expected = specimen.pending;
  expected.insert(specimen.dead.begin(), specimen.dead.end());
  Contents found = outcome.sent;
  found.insert(outcome.dead.begin(), outcome.dead.end());
  long missing = 0;
  for (const auto& [row, content] : expected) {
    const auto there = found.find(row);
    if (there == found.end()) {
      ++missing;
    } else {
      ++tally.messages_saved;
      if (there->second != content) ++tally.altered;
    }
  }
  long rows_missing = 0;
  for (const auto& [row, content] : specimen.readings) {
    if (outcome.readings.contains(row))
      ++tally.rows_saved;
    else
      ++rows_missing;
  }
  tally.messages_lost += missing;
  tally.rows_lost += rows_missing;
  if (!outcome.salvages.empty())
    ++tally.salvaged;
  else if (missing + rows_missing == 0)
    ++tally.untouched;
  // Everything that is missing was told.
  bool told_messages = false;
  bool told_rows = !outcome.error.empty();
  for (const satchel::SalvageReport& report : outcome.salvages) {
    told_messages = told_messages || !report.messages_whole;
    told_rows = told_rows || std::any_of(report.tables.begin(), report.tables.end(),
                                         [](const auto& table) { return !table.whole; });
  }
  for (const std::string& notice : outcome.notices) {
    const bool log = notice.find("not in the file any more") != std::string::npos;
    told_messages = told_messages || log;
    told_rows = told_rows || log;
  }
  if (missing > 0 && !told_messages)
    return std::to_string(missing) + " messages are missing and nobody was told";
  if (rows_missing > 0 && !told_rows)
    return std::to_string(rows_missing) + " rows are missing and nobody was told";
  return {};
}

/// Injures copies of two specimens, one with a part in the log and one without, and looks what comes of them.
Tally injure_many(const satchel::Options& options, bool silence_allowed) {
  const long rounds = support::size_from_environment("TEST_DAMAGES", 400);
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  const std::array specimens{damage::make_specimen(1, true), damage::make_specimen(2, false)};
  Tally tally;
  for (long round = support::size_from_environment("TEST_DAMAGE_FROM", 1); round <= rounds; ++round) {
    std::mt19937 random{static_cast<std::uint32_t>(round)};
    const Specimen& specimen = specimens[static_cast<std::size_t>(round) % 2];
    Files files = specimen.files;
    const Injury injury = damage::injure(files, random);
    CAPTURE(round);
    CAPTURE(injury.what);
    CAPTURE(injury.file);
    CAPTURE(injury.at);
    files.place(path);
    const Outcome outcome = damage::live_on(path, options);
    CHECK(outcome.failure == "");
    ++tally.files;
    const std::string silent = fate(specimen, outcome, tally);
    if (!silent.empty()) ++tally.silent;
    if (!silence_allowed) CHECK(silent == "");
  }
  CHECK(tally.salvaged > 0);
  CHECK(tally.messages_saved > tally.messages_lost);
  return tally;
}

void report_on(const std::string& done, const Tally& tally) {
  Report report{"damage", done};
  report.figure("files", tally.files);
  report.figure("nothing missing", tally.untouched);
  report.figure("salvaged", tally.salvaged);
  report.figure("messages saved", tally.messages_saved);
  report.figure("messages lost", tally.messages_lost);
  report.figure("files with a loss that was not told", tally.silent);
  report.figure("altered inside a value", tally.altered);
  report.figure("rows saved", tally.rows_saved);
  report.figure("rows lost", tally.rows_lost);
}

TEST_CASE("damage: with a check at open, what can be read goes on and what is lost is told") {
  satchel::Options options;
  options.check_at_open = true;
  report_on("database, log or relay file injured; check_at_open", injure_many(options, false));
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
  CHECK(fate(specimen, outcome, tally) == "");
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
  report_on("the same without the check", injure_many({}, true));
}

}  // namespace

int main(int count, char** arguments) { return support::run_and_report(count, arguments); }
