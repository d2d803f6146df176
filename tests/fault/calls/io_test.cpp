// SPDX-License-Identifier: MIT
//
// The medium fails at the n-th call of a whole life, n = 1, 2, 3 ... until a life needs no more calls.
#define DOCTEST_CONFIG_IMPLEMENT
#include "own_calls.hpp"
#include "sweep.hpp"
#include "system_calls.hpp"

#include "support/fault_vfs.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>

namespace {

using calls::Fault;
using support::FaultVfs;
using support::FileOp;

/// About every seventh fault leaves a commit of which nobody knows whether it took place.
constexpr std::uint64_t kEnough = 100;

std::uint64_t step() {
  return static_cast<std::uint64_t>(support::size_from_environment("TEST_FAULT_IO_STEP", 3));
}

template <class Arm>
Fault fault_of(FaultVfs& faults, Arm arm) {
  Fault fault;
  const auto before = std::make_shared<std::uint64_t>(0);
  fault.arm = [=, &faults](std::uint64_t nth) {
    *before = faults.failures();
    arm(nth);
  };
  fault.vfs = faults.name();
  fault.heal = [&faults] { faults.heal(); };
  fault.failures = [=, &faults] { return faults.failures() - *before; };
  return fault;
}

calls::Tally run(const Fault& fault, const std::string& name, std::uint64_t every) {
  const calls::Tally tally = calls::sweep(fault, every);
  support::Report report{"calls", name};
  tally.write(report);
  return tally;
}

struct Kind {
  FileOp op;
  int code;
  std::string name;
  bool lasting = true;  ///< also from the n-th on
};

}  // namespace

TEST_CASE("calls: the n-th call of the VFS fails, whichever it is") {
  for (const bool for_ever : {false, true}) {
    CAPTURE(for_ever);
    FaultVfs faults;
    const Fault fault = fault_of(faults, [&](std::uint64_t nth) { faults.fail_any(nth, for_ever); });
    const calls::Tally tally =
        run(fault, std::string{"the n-th call of the VFS fails "} + (for_ever ? "and all after it" : "once"),
            step());
    // It has seen something: without faults there is no error. Among few lives there may be none that ends in
    // a commit.
    CHECK(tally.errors > 0);
    CHECK(tally.background > 0);
    if (tally.hits >= kEnough) CHECK(tally.unknown > 0);
  }
}

TEST_CASE("calls: the n-th call of the VFS fails where messages are dropped, coalesce and expire") {
  for (const bool for_ever : {false, true}) {
    CAPTURE(for_ever);
    FaultVfs faults;
    Fault fault = fault_of(faults, [&](std::uint64_t nth) { faults.fail_any(nth, for_ever); });
    fault.manner = calls::Manner::policies;
    const calls::Tally tally = run(fault,
                                   std::string{"relaxed, quota, coalescing and expiry: the n-th call of the "
                                               "VFS fails "} +
                                       (for_ever ? "and all after it" : "once"),
                                   calls::fewer(step()));
    CHECK(tally.errors > 0);
    CHECK(tally.dropped > 0);
  }
}

TEST_CASE("calls: the n-th operation of one sort fails") {
  for (const Kind& kind : {
           Kind{FileOp::read, SQLITE_IOERR_READ, "the n-th read"},
           Kind{FileOp::write, SQLITE_IOERR_WRITE, "the n-th write"},
           Kind{FileOp::write, SQLITE_FULL, "the n-th write finds the disk full"},
           Kind{FileOp::truncate, SQLITE_IOERR_TRUNCATE, "the n-th truncation"},
           Kind{FileOp::sync, SQLITE_IOERR_FSYNC, "the n-th sync"},
           Kind{FileOp::open, SQLITE_CANTOPEN, "the n-th open"},
           Kind{FileOp::shared_memory, SQLITE_IOERR_SHMMAP, "the n-th mapping of shared memory"},
           Kind{FileOp::shared_memory, SQLITE_IOERR_SHMSIZE, "the n-th growth of shared memory"},
           // For ever SQLite would wait for it for minutes, asleep.
           Kind{FileOp::shared_lock, SQLITE_BUSY, "the n-th lock in shared memory is taken", false},
       }) {
    for (const bool for_ever : {false, true}) {
      if (for_ever && !kind.lasting) continue;
      CAPTURE(kind.name);
      CAPTURE(for_ever);
      FaultVfs faults;
      const Fault fault = fault_of(
          faults, [&](std::uint64_t nth) { faults.fail(kind.op, std::nullopt, kind.code, nth, for_ever); });
      run(fault, std::string{kind.name} + (for_ever ? ", and all after it" : ", once"), step());
    }
  }
}

TEST_CASE("calls: half of the n-th write reaches the file") {
  for (const int code : {SQLITE_IOERR_WRITE, SQLITE_FULL}) {
    for (const bool for_ever : {false, true}) {
      CAPTURE(code);
      CAPTURE(for_ever);
      FaultVfs faults;
      const Fault fault =
          fault_of(faults, [&](std::uint64_t nth) { faults.tear_write(code, nth, for_ever); });
      run(fault,
          std::string{"half of the n-th write reaches the file, "} +
              (code == SQLITE_FULL ? "disk full" : "I/O error") + (for_ever ? ", and so for ever" : ", once"),
          step());
    }
  }
}

TEST_CASE("calls: the kernel reads and writes less than it was asked for") {
  for (const bool for_ever : {false, true}) {
    CAPTURE(for_ever);
    Fault fault;
    fault.arm = [&](std::uint64_t nth) { system_calls::shorten(nth, for_ever); };
    fault.heal = system_calls::heal;
    fault.failures = system_calls::shortened;
    fault.goes_unnoticed = true;
    system_calls::install();
    run(fault,
        std::string{"the n-th read or write of the kernel is short"} + (for_ever ? " for ever" : ", once"),
        step());
    system_calls::remove();
  }
}

TEST_CASE("calls: the n-th system call of satchel's own fails, on the relay file or to watch files") {
  for (const bool for_ever : {false, true}) {
    CAPTURE(for_ever);
    Fault fault;
    fault.arm = [=](std::uint64_t nth) { own_calls::fail(own_calls::Kind::own, nth, for_ever); };
    fault.heal = own_calls::heal;
    fault.failures = own_calls::failures;
    const calls::Tally tally =
        run(fault,
            std::string{"the n-th system call of satchel's own fails"} + (for_ever ? " for ever" : ", once"),
            calls::fewer(step()));
    CHECK(tally.hits > 0);
    CHECK(tally.errors > 0);
  }
}

TEST_CASE("calls: the file system becomes read-only at the n-th change, under open files") {
  Fault fault;
  fault.arm = [](std::uint64_t nth) { own_calls::fail(own_calls::Kind::change, nth, true); };
  fault.heal = own_calls::heal;
  fault.failures = own_calls::failures;
  fault.hooks.nothing_can_be_removed = true;
  const calls::Tally tally =
      run(fault, "the file system becomes read-only at the n-th change", calls::fewer(step()));
  CHECK(tally.errors > 0);
}

int main(int count, char** arguments) {
  calls::watch_for_hangs();
  return support::run_and_report(count, arguments);
}
