// SPDX-License-Identifier: MIT
#include <satchel/sqlite_defects.hpp>

#include <sqlite3.h>

#include <array>

namespace satchel {
namespace {

/// Versions from `from` up to, and without, `below`.
struct Span {
  int from;
  int below;
};

struct Known {
  const char* id;
  const char* problem;
  const char* fixed_in;
  const char* measure;
  const char* demand;
  std::array<Span, 3> spans;
};

constexpr Span kNone{0, 0};

constexpr std::array<Known, 6> kKnown{{
    {"wal-reset",
     "committed pages can be lost when two connections checkpoint at once",
     "3.51.3, 3.50.7, 3.44.6",
     "one checkpoint at a time, with a frame committed right before each, which prevents it",
     "other programs that write to the file (the sqlite3 shell, scripts) must set PRAGMA "
     "wal_autocheckpoint=0",
     {{{3'007'000, 3'044'006}, {3'045'000, 3'050'007}, {3'051'000, 3'051'003}}}},
    {"savepoint-spill",
     "commits can be lost after ROLLBACK TO in a transaction that spilled its cache",
     "3.50.2",
     "PRAGMA cache_spill is off on its connections",
     "leave it so, and set it on connections of your own",
     {{{3'007'000, 3'050'002}, kNone, kNone}}},
    {"lock-loss",
     "closing any descriptor of the file in the process drops its locks, which has lost commits; SQLite has "
     "no "
     "defence",
     "3.51.0",
     "database, log and shared memory are opened by SQLite alone",
     "never open, copy or read these files in the process by other means; back up with sqlite3_backup or "
     "VACUUM INTO",
     {{{0, 3'051'000}, kNone, kNone}}},
    {"upsert-index",
     "an UPSERT with several ON CONFLICT clauses can leave an index without its row",
     "3.45.2",
     "no statement of its own has more than one",
     "",
     {{{3'035'000, 3'045'002}, kNone, kNone}}},
    {"upsert-trigger",
     "an UPSERT can show wrong old values to UPDATE triggers",
     "3.45.3",
     "no table of its own has such a trigger",
     "",
     {{{3'024'000, 3'045'003}, kNone, kNone}}},
    {"mmap-overread",
     "a few bytes behind a memory-mapped file can be read",
     "3.45.1",
     "PRAGMA mmap_size is 0 on its connections",
     "",
     {{{0, 3'045'001}, kNone, kNone}}},
}};

}  // namespace

std::vector<SqliteDefect> sqlite_defects(int version) {
  if (version == 0) version = sqlite3_libversion_number();
  std::vector<SqliteDefect> found;
  for (const Known& one : kKnown) {
    for (const Span& span : one.spans) {
      if (version < span.from || version >= span.below) continue;
      found.push_back({one.id, one.problem, one.fixed_in, one.measure, one.demand});
      break;
    }
  }
  return found;
}

}  // namespace satchel
