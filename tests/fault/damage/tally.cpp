// SPDX-License-Identifier: MIT
#include "fault/damage/tally.hpp"

#include "support/report.hpp"

#include <algorithm>
#include <map>

namespace damage {

std::string Tally::take(const Specimen& specimen, const Outcome& outcome) {
  ++files;
  auto expected = specimen.pending;
  expected.insert(specimen.dead.begin(), specimen.dead.end());
  auto found = outcome.sent;
  found.insert(outcome.dead.begin(), outcome.dead.end());
  long missing = 0;
  for (const auto& [row, content] : expected) {
    const auto there = found.find(row);
    if (there == found.end()) {
      ++missing;
    } else {
      ++messages_saved;
      if (there->second != content) ++altered;
    }
  }
  // A row under another key is altered: a definition may be damaged so that SQLite still takes it.
  std::map<std::string, long> missing_of_table;
  for (const auto& [row, content] : specimen.rows) ++missing_of_table[row.substr(0, row.find(' '))];
  for (const auto& [row, content] : outcome.rows) {
    --missing_of_table[row.substr(0, row.find(' '))];
    if (specimen.rows.contains(row))
      ++rows_saved;
    else
      ++altered;
  }
  long rows_missing = 0;
  for (const auto& [table, count] : missing_of_table) rows_missing += std::max(count, 0L);
  messages_lost += missing;
  rows_lost += rows_missing;
  if (!outcome.salvages.empty())
    ++salvaged;
  else if (missing + rows_missing == 0)
    ++untouched;
  // Everything that is missing was told.
  bool told_messages = false;
  bool told_rows = !outcome.error.empty();
  for (const satchel::SalvageReport& report : outcome.salvages) {
    told_messages = told_messages || !report.messages_whole;
    // A table whose definition cannot be read is left out by name.
    told_rows = told_rows || !report.left_out.empty() ||
                std::any_of(report.tables.begin(), report.tables.end(),
                            [](const auto& table) { return !table.whole; });
  }
  for (const std::string& notice : outcome.notices) {
    const bool log = notice.find("not in the file any more") != std::string::npos;
    told_messages = told_messages || log;
    told_rows = told_rows || log;
  }
  std::string untold;
  if (missing > 0 && !told_messages)
    untold = std::to_string(missing) + " messages are missing and nobody was told";
  if (rows_missing > 0 && !told_rows)
    untold +=
        (untold.empty() ? "" : "; ") + std::to_string(rows_missing) + " rows are missing and nobody was told";
  if (!untold.empty()) ++silent;
  return untold;
}

void Tally::report(const std::string& done) const {
  support::Report line{"damage", done};
  line.figure("files", files);
  line.figure("nothing missing", untouched);
  line.figure("salvaged", salvaged);
  line.figure("messages saved", messages_saved);
  line.figure("messages lost", messages_lost);
  line.figure("files with a loss that was not told", silent);
  line.figure("altered inside a value", altered);
  line.figure("rows saved", rows_saved);
  line.figure("rows lost", rows_lost);
}

}  // namespace damage
