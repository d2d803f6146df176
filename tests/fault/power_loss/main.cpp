// SPDX-License-Identifier: MIT
#include "life.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <iostream>
#include <string>

namespace {

using power::Figures;
using power::Flaw;
using power::Request;
using power::Sabotage;

constexpr std::uint64_t kCuts = 20'000;
/// The controls get one of so many: they do harm soon, and all of it is looked into.
constexpr std::uint64_t kControlShare = 20;

[[noreturn]] void usage() {
  std::cerr
      << "usage: fault-power-loss [full|relaxed|controls|forgetful-full|forgetful-relaxed] [--cuts N] "
         "[--seed S] [--point P]\n"
         "TEST_POWER_CUTS is the number of cuts unless --cuts says it. A failure prints seed and point.\n";
  std::exit(2);
}

std::uint64_t cuts_wanted() {
  const char* text = std::getenv("TEST_POWER_CUTS");
  return text == nullptr ? kCuts : std::stoull(text);
}

std::uint64_t flaws(const Figures& figures, Flaw flaw) {
  return figures.flaws[static_cast<std::size_t>(flaw)];
}

double seconds_of_processor() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// The figures of a run, as one line.
void print(const std::string& what, const Figures& f) {
  static constexpr std::array<const char*, 5> operations{"creates", "writes", "truncates", "syncs",
                                                         "removes"};
  std::cout << "REPORT power loss | " << what << " | cuts=" << f.cuts << ", in recovery=" << f.second_cuts
            << ", lives=" << f.lives;
  for (std::size_t i = 0; i < power::kFlaws; ++i)
    std::cout << ", " << power::to_string(static_cast<Flaw>(i)) << '=' << f.flaws[i];
  for (std::size_t i = 0; i < operations.size(); ++i)
    std::cout << ", " << operations[i] << '=' << f.operations[i];
  for (std::size_t i = 0; i < power::kNoteFates; ++i)
    std::cout << ", relay file " << power::to_string(static_cast<power::NoteFate>(i)) << '=' << f.notes[i];
  std::cout << ", transactions=" << f.transactions << ", by others=" << f.by_company
            << ", rolled back=" << f.rolled_back << ", refused=" << f.full
            << ", dropped by quota=" << f.drops.quota << ", coalesced=" << f.drops.coalesced
            << ", delayed=" << f.delayed << ", files of version 1=" << f.migrations
            << ", unknown=" << f.unknown << ", forgotten syncs=" << f.forgotten
            << ", hand-overs=" << f.hand_overs << ", dead letters=" << f.dead_letters
            << ", replays=" << f.replays << ", discards=" << f.discards << ", expired=" << f.expired
            << ", database syncs=" << f.checkpoints << ", reopened=" << f.reopened
            << ", cuts that took commits=" << f.cuts_with_loss
            << ", most commits taken=" << f.most_commits_lost << ", copies=" << f.redelivered
            << ", most copies of one cut=" << f.most_copies_at_once
            << ", most in flight=" << f.most_copies.in_flight
            << ", most unsettled=" << f.most_copies.unsettled << ", most unsynced=" << f.most_copies.unsynced
            << ", crash letters=" << f.crashed << '\n';
}

int trial(const Request& request, const std::string& what) {
  const double began = seconds_of_processor();
  power::Trial trial{request};
  trial.run();
  const Figures& figures = trial.figures();
  std::cerr << what << ": " << figures.cuts << " cuts in " << seconds_of_processor() - began
            << " s of the processor\n";
  print(what, figures);
  return figures.bad_cuts == 0 ? 0 : 1;
}

/// What breaks the promise has to be found: otherwise the oracle is blind.
int control(Sabotage sabotage, const std::string& what) {
  Request request;
  request.sabotage = sabotage;
  request.cuts = cuts_wanted() / kControlShare;
  request.quiet = true;
  power::Trial trial{request};
  trial.run();
  const Figures& figures = trial.figures();
  const bool found = flaws(figures, Flaw::lost) > 0;
  std::cout << "control: " << what << (found ? " failed, as it must: " : " DID NOT FAIL: ")
            << figures.bad_cuts << " of " << figures.cuts << " cuts did harm\n";
  print("control: " + what, figures);
  return found ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Request request;
    request.cuts = cuts_wanted();
    std::string mode = "full";
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word == "full" || word == "relaxed" || word == "controls" || word == "forgetful-full" ||
          word == "forgetful-relaxed") {
        mode = word;
      } else if (i + 1 < argc && word == "--cuts") {
        request.cuts = std::stoull(argv[++i]);
      } else if (i + 1 < argc && word == "--seed") {
        request.seed = std::stoull(argv[++i]);
      } else if (i + 1 < argc && word == "--point") {
        request.point = std::stoull(argv[++i]);
      } else {
        usage();
      }
    }
    if (mode == "controls") {
      return control(Sabotage::synchronous_off, "synchronous=OFF") +
             control(Sabotage::lying_disk, "a disk that lies about syncs");
    }
    if (mode.starts_with("forgetful")) request.sabotage = Sabotage::lossy_sync;
    if (mode.ends_with("relaxed")) request.durability = satchel::Durability::relaxed;
    return trial(request,
                 request.sabotage == Sabotage::none
                     ? mode
                     : mode.substr(10) + ", and syncs fail and forget what they should have written");
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
