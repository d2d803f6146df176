// SPDX-License-Identifier: MIT
#pragma once

#include "fault/damage/specimen.hpp"

#include <string>

namespace damage {

/// How often what became of a file.
struct Tally {
  /// A definition, or a key itself, may be damaged so that SQLite still takes it: then rows may be there
  /// under other keys, and are missing only as far as there are fewer.
  bool keys_may_change = false;

  long files = 0;
  long untouched = 0;  ///< went on as if nothing had happened, and nothing was missing
  long salvaged = 0;
  long messages_saved = 0;
  long messages_lost = 0;  ///< and told
  long altered = 0;        ///< bytes inside a value: SQLite keeps no checksum of those
  long rows_saved = 0;
  long rows_lost = 0;
  long silent = 0;

  /// Counts what an outbox still has of a specimen, wherever it ended. What is missing without a word about
  /// it; empty: nothing.
  std::string take(const Specimen& specimen, const Outcome& outcome);
  Tally& operator+=(const Tally& more);
  /// A line of the report, under `done`.
  void report(const std::string& done) const;
};

}  // namespace damage
