// SPDX-License-Identifier: MIT
#include "life.hpp"

#include "chance.hpp"

#include <satchel/error.hpp>

#include <SQLiteCpp/Exception.h>

#include <algorithm>
#include <iostream>
#include <stdexcept>
#include <utility>

namespace power {

namespace {

using satchel::Delivery;
using satchel::Receipt;
using std::chrono::milliseconds;

/// In a recovery the power is cut again at one of its first operations, in turn.
constexpr std::uint64_t kOperationsOfRecovery = 60;
/// Longer than a relay waits with messages under suspicion.
constexpr milliseconds kRound{1000};
constexpr int kRounds = 200;

}  // namespace

/// Boots what a cut left, compares it with what must be there, delivers all of it, uses it on. With a `next`
/// device every third recovery is cut as well.
void Trial::aftermath(const Cut& cut, const History& before, Device& device, Device* next) {
  ++figures_.cuts;
  if (next == nullptr) ++figures_.second_cuts;
  ++figures_.notes[static_cast<std::size_t>(cut.wreck.note_fate)];
  std::vector<Cut> again;
  if (next != nullptr && cut.point % 3 == 0) {
    device.on_operation([&, left = 1 + cut.point / 3 % kOperationsOfRecovery](auto, const auto&) mutable {
      if (left == 0 || --left > 0) return;
      Dice dice{seed_ * 2'000'003 + cut.point};
      again.push_back({device.cut(dice), device.tick(), cut.point, device.unsynced_frames(),
                       cut.what + ", and again in the recovery"});
    });
  } else {
    device.on_operation({});
  }
  std::vector<Defect> defects;
  seed_chance((seed_ << 32U) + (cut.point << 8U) + (next == nullptr ? 0x80U : 0x40U) + 0x8000'0000U);
  device.boot(cut.wreck);
  World world{*plan_, device, &before, cut.tick};
  world.answer([](Serial, const Delivery&) { return satchel::delivered(); });
  try {
    world.open(plan_->opened_as);
    compare(world, cut, before, defects);
    if (defects.empty()) use_on(world, defects);
    world.close(true);
  } catch (const satchel::Error& error) {
    defects.push_back({Flaw::damaged, error.what()});
  } catch (const SQLite::Exception& error) {
    defects.push_back({Flaw::damaged, error.what()});
  }
  figures_.hand_overs += world.history().handed_over();
  const std::vector<Defect>& seen = world.history().defects();
  defects.insert(defects.end(), seen.begin(), seen.end());
  figures_.crashed += world.history().crashed();
  report(cut, defects);
  if (!defects.empty()) return;
  for (const Cut& second : again) aftermath(second, world.history(), *next, nullptr);
}

void Trial::compare(World& world, const Cut& cut, const History& before, std::vector<Defect>& defects) {
  Content found = world.read();
  const std::size_t gone = before.judge(found, cut.tick, defects);
  const Copies copies = before.copies(found, cut.tick);
  check_copies(copies, cut, defects);
  if (request_.point != 0) std::cerr << gone << " of " << before.commits() << " commits are gone\n";
  if (gone > 0) ++figures_.cuts_with_loss;
  figures_.most_commits_lost = std::max(figures_.most_commits_lost, gone);
  figures_.redelivered += copies.all();
  world.history().adopt(std::move(found));
}

void Trial::check_copies(const Copies& copies, const Cut& cut, std::vector<Defect>& defects) {
  const satchel::Options& options = plan_->options;
  figures_.most_copies.in_flight = std::max(figures_.most_copies.in_flight, copies.in_flight);
  figures_.most_copies.unsettled = std::max(figures_.most_copies.unsettled, copies.unsettled);
  figures_.most_copies.unsynced = std::max(figures_.most_copies.unsynced, copies.unsynced);
  figures_.most_copies_at_once = std::max(figures_.most_copies_at_once, copies.all());
  // What was recorded is safe at the latest when the log is synced, and that is when a checkpoint is due: so
  // many pages of the log later. Every record is one page at least.
  const std::size_t pages = options.checkpoint_bytes / options.page_size + 1;
  const bool within =
      copies.in_flight <= options.window &&
      copies.in_flight + copies.unsettled <= options.window + options.max_unsettled &&
      // Where syncs fail, there is no such bound.
      (forgetful() || copies.unsynced <= std::min(pages, cut.unsynced_frames) * options.batch_size);
  if (within) return;
  defects.push_back({Flaw::duplicates, std::to_string(copies.in_flight) + " in flight, " +
                                           std::to_string(copies.unsettled) + " unsettled, " +
                                           std::to_string(copies.unsynced) + " unsynced (" +
                                           std::to_string(cut.unsynced_frames) + " pages of the log)"});
}

void Trial::drain(World& world) {
  world.answer([](Serial, const Delivery&) { return satchel::delivered(); });
  for (const Delivery& delivery : world.under_way()) world.reply(delivery, satchel::delivered());
  for (int i = 0; i < kRounds && !world.history().head().pending.empty(); ++i) world.round(kRound);
}

/// Delivers what is there, then writes and delivers more, and looks at the end.
void Trial::use_on(World& world, std::vector<Defect>& defects) {
  const History& history = world.history();
  drain(world);
  if (!history.head().table) world.create_table();
  world.transact(1, {});
  world.transact(2, {});
  drain(world);
  const Content content = world.read();
  if (!content.pending.empty()) {
    defects.push_back({Flaw::stuck, std::to_string(content.pending.size()) + " messages are not delivered"});
  }
  if (!content.same(history.head()) || !content.attempts.empty())
    defects.push_back({Flaw::order, "after its recovery the file holds something else than was committed"});
  const std::string integrity = world.integrity();
  if (integrity != "ok") defects.push_back({Flaw::damaged, "integrity_check: " + integrity});
}

void Trial::report(const Cut& cut, const std::vector<Defect>& defects) {
  if (defects.empty() && request_.point == 0) return;
  figures_.bad_cuts += defects.empty() ? 0 : 1;
  std::array<bool, kFlaws> seen{};
  for (const Defect& defect : defects) seen[static_cast<std::size_t>(defect.flaw)] = true;
  for (std::size_t i = 0; i < kFlaws; ++i) figures_.flaws[i] += seen[i] ? 1 : 0;
  if (request_.quiet) return;
  std::cerr << "seed " << seed_ << ", point " << cut.point << " (" << cut.what << "), relay file "
            << to_string(cut.wreck.note_fate) << (defects.empty() ? ": nothing is wrong\n" : ":\n");
  for (const Defect& defect : defects)
    std::cerr << "  " << to_string(defect.flaw) << ": " << defect.text << '\n';
}

}  // namespace power
