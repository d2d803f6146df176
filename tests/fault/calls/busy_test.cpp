// SPDX-License-Identifier: MIT
//
// Another process takes SQLite's write lock before the n-th step of a life, for one step or for all that
// follow.
#include "sweep.hpp"

#include "support/child.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace {

/// The other process; started when the file is there.
class Neighbour {
 public:
  explicit Neighbour(std::string path) : path_{std::move(path)} {}

  void arm(std::uint64_t nth, bool for_ever) {
    steps_ = 0;
    locked_times_ = 0;
    nth_ = nth;
    for_ever_ = for_ever;
  }
  void step() {
    ++steps_;
    if (holds_ && !for_ever_) give_back();
    if (nth_ == 0 || steps_ < nth_ || locked_times_ > 0 || !std::filesystem::exists(path_)) return;
    child_ = std::make_unique<support::Child>(std::vector<std::string>{FAULT_LOCKER, path_});
    order("lock", "locked");
    holds_ = true;
    ++locked_times_;
  }
  void heal() {
    nth_ = 0;
    if (holds_) give_back();
  }
  std::uint64_t locked_times() const { return locked_times_; }

 private:
  void order(const std::string& what, const std::string& answer) {
    child_->say(what);
    if (child_->line() != answer) throw std::runtime_error{"the other process does not obey"};
  }
  void give_back() {
    holds_ = false;
    order("free", "freed");
    child_->close_input();
    child_->wait();
    child_.reset();
  }

  const std::string path_;
  std::unique_ptr<support::Child> child_;
  std::uint64_t steps_ = 0;
  std::uint64_t nth_ = 0;
  std::uint64_t locked_times_ = 0;
  bool for_ever_ = false;
  bool holds_ = false;
};

}  // namespace

TEST_CASE("calls: another process holds the write lock from the n-th step on") {
  const auto every = static_cast<std::uint64_t>(support::size_from_environment("TEST_FAULT_BUSY_STEP", 5));
  for (const bool for_ever : {false, true}) {
    CAPTURE(for_ever);
    const support::TempDir dir{support::TempDir::Where::memory};
    const auto neighbour = std::make_shared<Neighbour>(dir.path() + "/life.db");
    calls::Fault fault;
    fault.arm = [=](std::uint64_t nth) { neighbour->arm(nth, for_ever); };
    fault.heal = [=] { neighbour->heal(); };
    fault.failures = [=] { return neighbour->locked_times(); };
    fault.hooks.before = [=](const char*) { neighbour->step(); };
    const calls::Tally tally = calls::sweep(fault, every, dir.path() + "/life.db");
    // It has seen something: without the other process there is no error.
    CHECK(tally.errors > 0);
    support::Report report{"calls", std::string{"another process holds the write lock "} +
                                        (for_ever ? "from the n-th step on" : "for the n-th step")};
    tally.write(report);
  }
}
