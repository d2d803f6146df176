// SPDX-License-Identifier: MIT
#include "life.hpp"

#include "chance.hpp"

#include <satchel/error.hpp>

#include <sqlite3.h>

#include <iostream>
#include <stdexcept>
#include <utility>

namespace power {

namespace {

using satchel::Delivery;
using satchel::Receipt;
using std::chrono::milliseconds;

constexpr int kStepsOfLife = 70;
constexpr std::uint64_t kEnoughBadCuts = 10;
constexpr milliseconds kRound{50};

Receipt answer_by_nature(Serial serial, int attempts) {
  switch (nature_of(serial)) {
    case Nature::good:
      break;
    case Nature::flaky:
      if (attempts <= static_cast<int>(serial % 2)) return satchel::retry("not now");
      break;
    case Nature::hopeless:
      return satchel::retry("never");
    case Nature::refused:
      return satchel::reject("no");
  }
  return satchel::delivered();
}

}  // namespace

Trial::Trial(const Request& request) : request_{request} {
  device_.on_operation([this](support::DiskOp op, const std::string& file) { on_operation(op, file); });
}

void Trial::run() {
  for (std::uint64_t seed = request_.seed; figures_.cuts < request_.cuts; ++seed) {
    try {
      live(seed);
    } catch (const std::exception& error) {
      throw std::runtime_error{"seed " + std::to_string(seed) + ", life broken off: " + error.what()};
    }
    if (request_.point != 0) return;
    if (figures_.bad_cuts >= kEnoughBadCuts && (request_.sabotage == Sabotage::none || forgetful())) return;
  }
}

void Trial::live(std::uint64_t seed) {
  seed_ = seed;
  points_ = 0;
  ++figures_.lives;
  plan_.emplace(seed, request_.durability, request_.sabotage);
  Dice dice{seed};
  seed_chance(seed << 32U);
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed % 1'000'000) + 1, nullptr);
  device_.boot(Wreck{});
  World world{*plan_, device_, nullptr, 0};
  world.answer([this, &dice](Serial serial, const Delivery& delivery) -> std::optional<Receipt> {
    take_cut("hand-over of message " + std::to_string(serial));
    if (dice.one_in(3)) return std::nullopt;
    return answer_by_nature(serial, delivery.attempts);
  });
  if (plan_->version_1) {
    world.bequeath();
    ++figures_.migrations;
  }
  world.open(plan_->opened_as);
  world.create_table();
  world.invite(plan_->company);
  examine(world.history());
  for (int i = 0; i < kStepsOfLife; ++i) {
    // What was examined in between has drawn, too.
    seed_chance((seed << 32U) + static_cast<std::uint64_t>(i) + 1);
    step(world, dice);
    examine(world.history());
    if (request_.point != 0 && points_ > request_.point) return;
  }
  seed_chance((seed << 32U) + kStepsOfLife + 1);
  finish(world);
}

void Trial::step(World& world, Dice& dice) {
  const std::uint64_t what = dice.below(100);
  if (what < 34) {
    transaction(world, dice);
  } else if (what < 74) {
    for (std::uint64_t rounds = 1 + dice.below(3); rounds > 0; --rounds) round(world, dice);
  } else if (what < 86) {
    deliveries(world, dice);
  } else if (what < 88) {
    world.break_connection();
  } else if (what < 91) {
    world.replay(dice.below(100));
    ++figures_.replays;
  } else if (what < 92) {
    world.replay_all();
    ++figures_.replays;
  } else if (what < 94) {
    world.discard(dice.below(100));
    ++figures_.discards;
  } else if (what < 96) {
    world.look();
  } else {
    reopen(world, dice);
  }
}

void Trial::round(World& world, Dice& dice) {
  if (!forgetful()) {
    world.round(kRound);
    return;
  }
  if (dice.one_in(12)) world.linger();
  std::optional<std::uint64_t> failing;
  if (dice.one_in(4)) failing = dice.below(4);
  world.round(kRound, failing);
}

void Trial::transaction(World& world, Dice& dice) {
  Manner manner;
  manner.by_company = dice.one_in(3);
  manner.rollback = dice.one_in(8);
  if (dice.one_in(12)) manner.failing_sync = support::SyncFailure::harmless;
  if (forgetful() && dice.one_in(6)) {
    manner.failing_sync = support::SyncFailure::lossy;
    // Behind the sync of the commit come those of a checkpoint.
    manner.syncs_before = dice.one_in(2) ? 0 : dice.below(4);
  }
  // Sometimes more than fits into the window.
  const std::size_t messages = dice.one_in(10) ? 10 + dice.below(20) : dice.below(5);
  if (manner.by_company && plan_->company != Company::none) ++figures_.by_company;
  switch (world.transact(messages, manner)) {
    case World::End::committed:
      ++figures_.transactions;
      break;
    case World::End::rolled_back:
      ++figures_.rolled_back;
      break;
    case World::End::full:
      ++figures_.full;
      break;
    case World::End::unknown:
      ++figures_.unknown;
      break;
  }
}

/// The sink answers some of what it has.
void Trial::deliveries(World& world, Dice& dice) {
  for (const Delivery& delivery : world.under_way()) {
    if (dice.one_in(4)) continue;
    const auto serial = serial_of(delivery.topic, delivery.payload, delivery.key);
    world.reply(delivery, answer_by_nature(serial.value_or(0), delivery.attempts));
  }
}

void Trial::reopen(World& world, Dice& dice) {
  ++figures_.reopened;
  world.close(dice.one_in(2));
  // What a failed sync has lost is lost to a device that starts again, too: that is one of the cuts.
  if (dice.one_in(2) && !forgetful()) world.reboot();
  satchel::Durability durability = plan_->opened_as;
  if (plan_->changes_durability && dice.one_in(2)) durability = satchel::Durability::full;
  world.open(durability);
  world.invite(plan_->company);
}

/// A life that ends well: everything is delivered or dead, and the file holds what the oracle says.
void Trial::finish(World& world) {
  if (request_.sabotage != Sabotage::none && !forgetful()) {
    world.close(true);
    cuts_.clear();
    return;
  }
  drain(world);
  std::vector<Defect> defects = world.history().defects();
  const Content content = world.read();
  if (!content.same(world.history().head()))
    defects.push_back({Flaw::order, "without any cut the file holds something else than was committed"});
  if (!content.pending.empty()) defects.push_back({Flaw::stuck, "not everything is delivered"});
  for (const auto& [name, value] : content.counters) {
    if (name.starts_with("dead:")) figures_.dead_letters += static_cast<std::uint64_t>(value);
    if (name == "expired") figures_.expired += static_cast<std::uint64_t>(value);
  }
  figures_.hand_overs += world.history().handed_over();
  figures_.drops.quota += world.drops().quota;
  figures_.drops.coalesced += world.drops().coalesced;
  figures_.delayed += world.awaited();
  world.close(true);
  examine(world.history());
  report(Cut{{}, 0, points_, 0, "the end of the life"}, defects);
}

// ---- cuts ----

void Trial::on_operation(support::DiskOp op, const std::string& file) {
  static constexpr std::array<const char*, 5> names{"create", "write", "truncate", "sync", "remove"};
  const auto index = static_cast<std::size_t>(op);
  ++figures_.operations[index];
  const bool database = file == device_.path();
  if (forgetful() && op == support::DiskOp::sync && device_.vfs().disk().sync_fails()) ++figures_.forgotten;
  if (database && op == support::DiskOp::sync) ++figures_.checkpoints;
  take_cut(std::string{names[index]} + ' ' + (database ? "database" : file.substr(file.rfind('-') + 1)));
}

void Trial::take_cut(const std::string& what) {
  ++points_;
  if (request_.point != 0 && request_.point != points_) return;
  Dice dice{seed_ * 1'000'003 + points_};
  cuts_.push_back({device_.cut(dice), device_.tick(), points_, device_.unsynced_frames(), what});
}

/// Looks at what the cuts of a step left. Only now is it known which commit was under way at each.
void Trial::examine(const History& history) {
  for (const Cut& cut : std::exchange(cuts_, {})) aftermath(cut, history, second_, &third_);
}

}  // namespace power
