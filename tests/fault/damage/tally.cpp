// SPDX-License-Identifier: MIT
#include "fault/damage/tally.hpp"

#include "support/report.hpp"

#include <algorithm>
#include <map>

namespace damage {
namespace {

std::string table_of(const std::string& row) { return row.substr(0, row.find(' ')); }

/// A table of which not even the definition could be read, or pages that it has lost.
bool leaves_rows_out(const std::string& left_out) {
  return left_out.starts_with("table ") || left_out.starts_with("what is on pages");
}

}  // namespace

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
  std::map<std::string, long> missing_of_table;
  for (const auto& [row, content] : specimen.rows) {
    if (outcome.rows.contains(row))
      ++rows_saved;
    else
      ++missing_of_table[table_of(row)];
  }
  for (const auto& [row, content] : outcome.rows) {
    if (specimen.rows.contains(row) || !keys_may_change) continue;
    ++altered;
    --missing_of_table[table_of(row)];
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
    told_rows = told_rows ||
                std::any_of(report.tables.begin(), report.tables.end(),
                            [](const auto& table) { return !table.whole; }) ||
                std::any_of(report.left_out.begin(), report.left_out.end(), leaves_rows_out);
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

Tally& Tally::operator+=(const Tally& more) {
  files += more.files;
  untouched += more.untouched;
  salvaged += more.salvaged;
  messages_saved += more.messages_saved;
  messages_lost += more.messages_lost;
  altered += more.altered;
  rows_saved += more.rows_saved;
  rows_lost += more.rows_lost;
  silent += more.silent;
  return *this;
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
