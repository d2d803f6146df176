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

/// A device that commits once a second and relays to a sink that takes everything at once.
Figures device(const Pattern& pattern, std::size_t messages) {
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
  options.checkpoint_bytes = 256U << 10U;
  satchel::Outbox outbox{directory.path() + "/device.db", options};
  outbox.attach(bench::NullSink{});
  const std::string payload(pattern.bytes, 'x');
  std::size_t unsettled = 0;
  Spent enqueueing;
  const auto relay = [&] {
    while (outbox.run_once()) {
    }
    unsettled = std::max<std::size_t>(unsettled, outbox.status().unsettled);
  };
  const auto second = [&] {
    const Spent before = spent(vfs);
    bench::enqueue(outbox, pattern.burst, payload, pattern.burst, "plant/boiler/temperature");
    const Spent now = spent(vfs) - before;
    enqueueing.bytes += now.bytes;
    enqueueing.syncs += now.syncs;
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
  enqueueing = {};
  const Spent before = spent(vfs);
  for (std::size_t i = 0; i < seconds; ++i) second();
  const Spent all = spent(vfs) - before;
  const auto count = static_cast<double>(seconds * pattern.burst);
  return {{"bytes", all.bytes / count},
          {"syncs", all.syncs / count},
          {"enqueue_bytes", enqueueing.bytes / count},
          {"relay_bytes", (all.bytes - enqueueing.bytes) / count},
          {"unsettled", static_cast<double>(unsettled)},
          {"MB_a_day_at_one_a_second", all.bytes / count * 86'400 / 1e6}};
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
      row("bursts of 100" + pages, {.page = page, .burst = 100});
      row("one a second of 1 KiB" + pages, {.page = page, .bytes = 1024});
      row("bursts of 100 of 1 KiB" + pages, {.page = page, .burst = 100, .bytes = 1024});
    }
    const std::chrono::milliseconds hour{3'600'000};
    row("one a second, acknowledgements 20 at a time", {.linger = hour, .unsettled = 20});
    row("one a second, acknowledgements 200 at a time", {.linger = hour, .unsettled = 200},
        {{"satchel", "relay_bytes", "", 0, 300}});
    row("one a second, acknowledgements 200 at a time, pages of 1024 B",
        {.page = 1024, .linger = hour, .unsettled = 200}, {{"satchel", "relay_bytes", "", 0, 300}});
    row("10 a second, acknowledgements 200 at a time", {.burst = 10, .linger = hour, .unsettled = 200});
    row("bursts of 100 of 16 KiB", {.burst = 100, .bytes = 16'384});
  });
}
