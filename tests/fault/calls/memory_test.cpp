// SPDX-License-Identifier: MIT
//
// Memory runs out at the n-th allocation of a whole life, n = 1, 2, 3 ... until a life needs no more.
#define DOCTEST_CONFIG_IMPLEMENT
#include "memory.hpp"
#include "sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace {

using calls::Fault;
using memory::Source;

// SQLite makes many more allocations than the library.
constexpr long kMore = 23;

std::uint64_t step(Source source) {
  const long every = support::size_from_environment("TEST_FAULT_STEP", kMore);
  return static_cast<std::uint64_t>(source == Source::heap ? std::max(every / kMore, 1L) : every);
}

Fault out_of_memory(Source source, bool for_ever) {
  Fault fault;
  fault.arm = [=](std::uint64_t nth) { memory::fail(source, nth, for_ever); };
  fault.heal = memory::heal;
  fault.failures = memory::failures;
  fault.blocks = memory::blocks;
  fault.hooks.spare = memory::spare;
  fault.hooks.unspare = memory::unspare;
  return fault;
}

void run(Source source, bool for_ever, const std::string& name) {
  const calls::Tally tally = calls::sweep(out_of_memory(source, for_ever), step(source));
  // It has seen something: without faults there is no error.
  CHECK(tally.errors > 0);
  support::Report report{"calls", name};
  tally.write(report);
}

}  // namespace

TEST_CASE("calls: SQLite's n-th allocation fails, once") {
  run(Source::sqlite, false, "SQLite's n-th allocation fails once");
}

TEST_CASE("calls: SQLite's allocations fail from the n-th on") {
  run(Source::sqlite, true, "SQLite's allocations fail from the n-th on");
}

TEST_CASE("calls: the n-th operator new fails, once") {
  run(Source::heap, false, "the n-th operator new fails once");
}

TEST_CASE("calls: operator new fails from the n-th on") {
  run(Source::heap, true, "operator new fails from the n-th on");
}

TEST_CASE("calls: an allocation fails where messages are dropped, coalesce and expire") {
  for (const Source source : {Source::sqlite, Source::heap}) {
    Fault fault = out_of_memory(source, false);
    fault.manner = calls::Manner::policies;
    const calls::Tally tally = calls::sweep(fault, calls::fewer(step(source)));
    CHECK(tally.errors > 0);
    CHECK(tally.dropped > 0);
    support::Report report{
        "calls", std::string{"relaxed, quota, coalescing and expiry: "} +
                     (source == Source::sqlite ? "SQLite's n-th allocation" : "the n-th operator new") +
                     " fails once"};
    tally.write(report);
  }
}

int main(int count, char** arguments) {
  memory::install();
  calls::watch_for_hangs();
  return support::run_and_report(count, arguments);
}
