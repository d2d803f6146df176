// SPDX-License-Identifier: MIT
//
// The note of a data budget, as a damaged file may give it back: not believed, or one with which the budget
// still counts, ends a period at last, and writes a note that is believed. The checksum is put right first.
#include "relay/budget.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

namespace {

using namespace std::chrono_literals;
using satchel::BootTime;
using satchel::DataBudget;
using satchel::WallReading;
using satchel::WallTime;
using satchel::relay::Budget;

constexpr const char* kBoot = "boot-1";

void demand(bool condition) {
  if (!condition) std::abort();
}

/// FNV-1a.
std::string summed(const std::string& body) {
  std::uint32_t sum = 2'166'136'261U;
  for (const char character : body) sum = (sum ^ static_cast<unsigned char>(character)) * 16'777'619U;
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", sum);
  return digits + (' ' + body);
}

void use(const std::string& note, DataBudget::Period period, bool trusted) {
  DataBudget options;
  options.bytes = 1000;
  options.urgent_reserve = 100;
  options.period = period;
  Budget budget{options};
  BootTime now{1h};
  WallReading wall{WallTime{std::chrono::sys_days{std::chrono::year{2030} / 6 / 15}}, trusted};
  const bool restored = budget.restore(note, kBoot, now);
  if (!restored) demand(budget.used(now, wall) == 0);
  const auto later = budget.next(10, false, now, wall);
  demand(later.has_value() != budget.admits(10, false, now, wall));
  demand(!later || (*later > now && *later <= now + 1h));
  const std::uint64_t used = budget.used(now, wall);
  budget.take(5, now, wall);
  demand(budget.used(now, wall) == (used > std::numeric_limits<std::uint64_t>::max() - 5
                                        ? std::numeric_limits<std::uint64_t>::max()
                                        : used + 5));
  Budget after{options};
  demand(after.restore(budget.note(kBoot), kBoot, now) && after.used(now, wall) == budget.used(now, wall));
  // Whatever the note said, after two periods of one clock or the other the budget is full again.
  const auto length = period == DataBudget::Period::day ? 24h : 30 * 24h;
  for (auto passed = 0h; passed <= 2 * length; passed += 12h) {
    now += 12h;
    wall.time += 12h;
    static_cast<void>(budget.used(now, wall));
  }
  demand(budget.used(now, wall) == 0 && budget.admits(900, false, now, wall));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  for (const std::string& note : {text, summed(text)}) {
    for (const bool trusted : {false, true}) {
      use(note, DataBudget::Period::day, trusted);
      use(note, DataBudget::Period::month, trusted);
    }
  }
  return 0;
}
