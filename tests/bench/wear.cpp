// SPDX-License-Identifier: MIT
//
// What a message costs the storage: bytes and syncs by page size and durability, for single messages and for
// bursts, and by how long acknowledgements wait for company. Counted, not timed: a second run says the same.
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "support/fault_vfs.hpp"
#include "support/temp_dir.hpp"

#include <satchel/testing/manual_clock.hpp>

namespace {

using bench::Figures;
using support::FaultVfs;

struct Pattern {
  std::size_t page = 4096;
  std::size_t burst = 1;  ///< messages of a transaction; one transaction a second
  bool full = true;
  std::chrono::milliseconds linger{20};
  std::size_t unsettled = 200;
  std::size_t bytes = 100;
  bool exact = false;  ///< with the counts of `Quota::exact`
};

struct Spent {
  double bytes = 0;
  double syncs = 0;
};

Spent operator-(const Spent& a, const Spent& b) { return {a.bytes - b.bytes, a.syncs - b.syncs}; }

Spent spent(const FaultVfs& vfs) {
  const support::Traffic traffic = vfs.traffic();
  return {static_cast<double>(traffic.bytes_written), static_cast<double>(traffic.syncs)};
}

struct Day {
  Spent each{};  ///< a message
  std::size_t unsettled = 0;
};

/// A device that commits once a second and, with a sink, relays to one that takes everything at once.
Day live(const Pattern& pattern, std::size_t messages, bool with_sink) {
  const support::TempDir directory;
  const FaultVfs vfs;
  auto clock = std::make_shared<satchel::testing::ManualClock>();
  satchel::Options options;
  options.vfs = vfs.name();
  options.clock = clock;
  options.page_size = pattern.page;
  options.durability = pattern.full ? satchel::Durability::full : satchel::Durability::relaxed;
  options.settle_linger = pattern.linger;
  options.max_unsettled = pattern.unsettled;
  options.batch_size = std::max(options.batch_size, pattern.unsettled);
  // Without a relay the commit that reaches it makes the checkpoint.
  options.max_wal_bytes = options.checkpoint_bytes;
  if (pattern.exact) options.quota = {.messages = 1'000'000, .exact = true};
  satchel::Outbox outbox{directory.path() + "/device.db", options};
  if (with_sink) outbox.attach(bench::NullSink{});
  const std::string payload(pattern.bytes, 'x');
  std::size_t unsettled = 0;
  const auto relay = [&] {
    while (with_sink && outbox.run_once()) {
    }
    unsettled = std::max<std::size_t>(unsettled, outbox.status().unsettled);
  };
  const auto second = [&] {
    bench::enqueue(outbox, pattern.burst, payload, pattern.burst, "plant/boiler/temperature");
    relay();
    clock->advance(std::chrono::milliseconds{500});
    relay();
    clock->advance(std::chrono::milliseconds{500});
    relay();
  };
  const std::size_t seconds = messages / pattern.burst;
  // The first ones find an empty file and a log that has to grow.
  for (std::size_t i = 0; i < std::max<std::size_t>(seconds / 4, 20); ++i) second();
  unsettled = 0;
  const Spent before = spent(vfs);
  for (std::size_t i = 0; i < seconds; ++i) second();
  const Spent all = spent(vfs) - before;
  const auto count = static_cast<double>(seconds * pattern.burst);
  return {{all.bytes / count, all.syncs / count}, unsettled};
}

/// What the relay adds is what the same device writes with a sink and does not write without one.
Figures device(const Pattern& pattern, std::size_t messages) {
  const Day alone = live(pattern, messages, false);
  const Day day = live(pattern, messages, true);
  return {{"bytes", day.each.bytes},
          {"syncs", day.each.syncs},
          {"enqueue_bytes", alone.each.bytes},
          {"relay_bytes", day.each.bytes - alone.each.bytes},
          {"unsettled", static_cast<double>(day.unsettled)},
          {"MB_a_day_at_one_a_second", day.each.bytes * 86'400 / 1e6}};
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"wear", count, words};
    const auto messages = program.sized<std::size_t>(4'000, 1'000);
    const auto row = [&](const std::string& name, const Pattern& pattern,
                         std::initializer_list<bench::Budget> budgets = {}) {
      program.row(name, {{"satchel", [&] { return device(pattern, messages); }}}, budgets, 1);
    };
    for (const std::size_t page :
         {std::size_t{512}, std::size_t{1024}, std::size_t{2048}, std::size_t{4096}, std::size_t{8192}}) {
      const std::string pages = ", pages of " + std::to_string(page) + " B";
      const Pattern one{.page = page};
      row("one a second" + pages, one);
      row("one a second, relaxed" + pages, {.page = page, .full = false});
      row("10 a second" + pages, {.page = page, .burst = 10});
      row("bursts of 100" + pages, {.page = page, .burst = 100}, {{"satchel", "relay_bytes", "", 0, 300}});
      row("one a second of 1 KiB" + pages, {.page = page, .bytes = 1024});
      row("bursts of 100 of 1 KiB" + pages, {.page = page, .burst = 100, .bytes = 1024});
    }
    // Acknowledgements that wait ride in the next commit, or are recorded together when none comes.
    const std::chrono::milliseconds two{2000};
    row("one a second, acknowledgements ride", {.linger = two}, {{"satchel", "relay_bytes", "", 0, 300}});
    row("one a second, acknowledgements ride, pages of 1024 B", {.page = 1024, .linger = two},
        {{"satchel", "relay_bytes", "", 0, 300}});
    row("10 a second, acknowledgements ride", {.burst = 10, .linger = two});
    row("one a second, exact counts", {.exact = true});
    row("10 a second, exact counts", {.burst = 10, .exact = true});
    row("bursts of 100, exact counts", {.burst = 100, .exact = true});
    row("bursts of 100 of 16 KiB", {.burst = 100, .bytes = 16'384});
  });
}
