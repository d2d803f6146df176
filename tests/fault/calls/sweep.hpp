// SPDX-License-Identifier: MIT
//
// One life after the other, with the fault one call later each time, until a life meets none.
#pragma once

#include "life.hpp"

#include "support/parts.hpp"
#include "support/report.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace calls {

/// How to make the `nth` call fail, and how to stop it.
struct Fault {
  std::function<void(std::uint64_t nth)> arm;
  std::function<void()> heal;
  std::function<std::uint64_t()> failures;
  std::function<std::int64_t()> blocks = [] { return std::int64_t{0}; };
  std::string vfs{};
  Hooks hooks{};
  Manner manner = Manner::plain;
  /// SQLite gets over it by itself: no call may fail.
  bool goes_unnoticed = false;
};

struct Tally {
  std::uint64_t lives = 0;
  std::uint64_t hits = 0;
  std::uint64_t errors = 0;
  std::uint64_t unknown = 0;
  std::uint64_t background = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t dropped = 0;  ///< or expired

  void write(support::Report& report) const {
    report.figure("lives", lives);
    report.figure("faults hit", hits);
    report.figure("typed errors", errors);
    report.figure("of them outcome unknown", unknown);
    report.figure("background failures, healed", background);
    report.figure("duplicates", duplicates);
    if (dropped > 0) report.figure("dropped or expired", dropped);
  }
  Tally& operator+=(const Tally& more) {
    lives += more.lives;
    hits += more.hits;
    errors += more.errors;
    unknown += more.unknown;
    background += more.background;
    duplicates += more.duplicates;
    dropped += more.dropped;
    return *this;
  }
};

inline std::uint64_t current_nth = 0;

/// A life that takes this long hangs.
inline constexpr unsigned kPatienceSeconds = 120;

inline void watch_for_hangs() {
  std::signal(SIGALRM, [](int) {
    constexpr char text[] = "a life hangs\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, sizeof text - 1);
    ::_exit(4);
  });
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) ++count;
  return count;
}

inline void remove_files(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal", "-relay"}) ::unlink((path + suffix).c_str());
}

/// One life with the fault at the `nth` call. False: the fault was not met.
inline bool live(const std::string& path, const Fault& fault, std::uint64_t nth, Tally& tally) {
  current_nth = nth;
  remove_files(path);
  const sqlite3_int64 memory_before = sqlite3_memory_used();
  const std::size_t descriptors_before = open_descriptors();
  const std::int64_t blocks_before = fault.blocks();
  std::uint64_t hits = 0;
  std::string wrong;
  {
    Hooks hooks = fault.hooks;
    hooks.hit = [&fault] { return fault.failures() > 0; };
    Life life{path, fault.vfs, std::move(hooks), fault.manner};
    fault.arm(nth);
    ::alarm(kPatienceSeconds);
    life.run();
    fault.heal();
    hits = fault.failures();
    life.recover();
    life.compare();
    ::alarm(0);
    for (const std::string& text : life.breaches()) wrong += text + "; ";
    ++tally.lives;
    tally.hits += hits > 0 ? 1 : 0;
    tally.errors += static_cast<std::uint64_t>(life.errors());
    tally.unknown += static_cast<std::uint64_t>(life.unknowns());
    tally.background += static_cast<std::uint64_t>(life.background());
    tally.duplicates += static_cast<std::uint64_t>(life.duplicates());
    tally.dropped += static_cast<std::uint64_t>(life.dropped());
    if ((hits == 0 || fault.goes_unnoticed) && life.errors() + life.background() > 0)
      wrong += "an error without a fault; ";
  }
  const sqlite3_int64 memory_after = sqlite3_memory_used();
  const std::size_t descriptors_after = open_descriptors();
  const std::int64_t blocks_after = wrong.empty() ? fault.blocks() : blocks_before;
  INFO("the fault is at call " << nth);
  CHECK(wrong == "");
  CHECK(memory_after == memory_before);
  CHECK(descriptors_after == descriptors_before);
  CHECK(blocks_after == blocks_before);
  return hits > 0;
}

/// For the second of two kinds of life: a quarter of the places, unless every one was asked for.
inline std::uint64_t fewer(std::uint64_t step) { return step == 1 ? 1 : 4 * step; }

/// Lives on the file at `path`, the fault at call `first`, then `step` calls later each time, until a life
/// meets none.
inline Tally walk(const Fault& fault, std::uint64_t first, std::uint64_t step, const std::string& path) {
  Tally tally;
  for (std::uint64_t nth = first; live(path, fault, nth, tally); nth += step) {
  }
  CHECK(tally.hits + 1 == tally.lives);
  return tally;
}

/// All lives of one kind of fault: the n-th call fails, n = 1, 1 + step, ... until a life meets no fault. To
/// look into one failure: TEST_FAULT_AT says which call it is. `walk_all` has the lives of a whole sweep.
template <class WalkAll>
Tally sweep(const Fault& fault, const std::string& path, const WalkAll& walk_all) {
  // What is made once in a program is made here.
  {
    Life warm_up{path, fault.vfs, fault.hooks, fault.manner};
    warm_up.run();
    warm_up.recover();
  }
  Tally ignored;
  if (live(path, fault, std::uint64_t{1} << 40U, ignored)) FAIL("a life without a fault met one");
  if (const long at = support::size_from_environment("TEST_FAULT_AT", 0); at > 0) {
    Tally tally;
    live(path, fault, static_cast<std::uint64_t>(at), tally);
    return tally;
  }
  return walk_all();
}

/// On one file after the other at `path`.
inline Tally sweep(const Fault& fault, std::uint64_t step, const std::string& path) {
  return sweep(fault, path, [&] { return walk(fault, 1, step, path); });
}

/// On files in places of their own, several at a time.
inline Tally sweep(const Fault& fault, std::uint64_t step) {
  const support::TempDir dir{support::TempDir::Where::memory};
  const std::string path = dir.path() + "/life.db";
  return sweep(fault, path, [&] {
    return support::in_parts<Tally>([&](unsigned part, unsigned parts) {
      return walk(fault, 1 + step * part, step * parts, path + '.' + std::to_string(part));
    });
  });
}

}  // namespace calls
