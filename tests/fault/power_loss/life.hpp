// SPDX-License-Identifier: MIT
#pragma once

#include "world.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace power {

/// Figures of many lives.
struct Figures {
  std::uint64_t lives = 0;
  std::uint64_t cuts = 0;         ///< in all, second ones included
  std::uint64_t second_cuts = 0;  ///< while the device recovered from the first
  std::uint64_t bad_cuts = 0;     ///< after which something was wrong
  std::array<std::uint64_t, kFlaws> flaws{};
  std::array<std::uint64_t, 5> operations{};  ///< at which the power was cut, by kind
  std::uint64_t hand_overs = 0;
  std::array<std::uint64_t, kNoteFates> notes{};
  std::uint64_t cuts_with_loss = 0;  ///< relaxed: cuts that took commits
  std::size_t most_commits_lost = 0;
  std::uint64_t transactions = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t replays = 0;
  std::uint64_t discards = 0;
  std::uint64_t rolled_back = 0;
  std::uint64_t full = 0;     ///< transactions that the quota refused
  std::uint64_t unknown = 0;  ///< commits whose sync failed
  std::uint64_t expired = 0;
  std::uint64_t by_company = 0;   ///< transactions of a second outbox or another program
  std::uint64_t forgotten = 0;    ///< syncs that failed, and what they should have written never was
  std::uint64_t checkpoints = 0;  ///< syncs of the database file
  std::uint64_t reopened = 0;
  std::uint64_t redelivered = 0;
  Copies most_copies{};
  std::size_t most_copies_at_once = 0;
  Drops drops;
  std::uint64_t delayed = 0;     ///< messages that were sent when their time had come
  std::uint64_t migrations = 0;  ///< lives that begin with a file of version 1
  std::uint64_t crashed = 0;     ///< dead letters of a note that survived two cuts
};

/// Which cuts to make.
struct Request {
  satchel::Durability durability = satchel::Durability::full;
  Sabotage sabotage = Sabotage::none;
  std::uint64_t cuts = 20'000;
  std::uint64_t seed = 1;   ///< of the first life
  std::uint64_t point = 0;  ///< only there; 0: everywhere
  bool quiet = false;       ///< what is found is counted and not printed
};

/// Devices lead one life after another, and at every operation of the disk the power is cut: what is left
/// then is booted on a second device, examined, and used to the end. The life itself goes on.
class Trial {
 public:
  explicit Trial(const Request& request);

  /// Lives until there were enough cuts, or ten bad ones.
  void run();
  const Figures& figures() const noexcept { return figures_; }

 private:
  /// The power was cut here.
  struct Cut {
    Wreck wreck;
    Tick tick;
    std::uint64_t point;
    std::size_t unsynced_frames;
    std::string what;
  };

  void live(std::uint64_t seed);
  void step(World& world, Dice& dice);
  bool forgetful() const noexcept { return request_.sabotage == Sabotage::lossy_sync; }
  void round(World& world, Dice& dice);
  void transaction(World& world, Dice& dice);
  void deliveries(World& world, Dice& dice);
  void reopen(World& world, Dice& dice);
  void on_operation(support::DiskOp op, const std::string& file);
  void take_cut(const std::string& what);
  void examine(const History& history);
  void finish(World& world);

  void aftermath(const Cut& cut, const History& before, Device& device, Device* next);
  void compare(World& world, const Cut& cut, const History& before, std::vector<Defect>& defects);
  void check_copies(const Copies& copies, const Cut& cut, std::vector<Defect>& defects);
  void drain(World& world);
  void use_on(World& world, std::vector<Defect>& defects);
  void report(const Cut& cut, const std::vector<Defect>& defects);

  const Request request_;
  Figures figures_;
  std::uint64_t seed_ = 0;
  std::uint64_t points_ = 0;
  std::vector<Cut> cuts_;
  // One for the life, one for what is left of it, one for what is left of that.
  Device device_;
  Device second_;
  Device third_;
  std::optional<Plan> plan_;
};

}  // namespace power
