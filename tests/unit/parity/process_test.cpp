// SPDX-License-Identifier: MIT
//
// What only the end of a process shows.
#include "unit/parity/bench.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace parity {

namespace {

constexpr int kDied = 42;

/// Relays what is in the file, in a process of its own that ends at once when it is to send the poison.
/// Returns its exit status.
int relay_in_child(const std::string& path, const Options& options, ManualClock& clock) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto sink = std::make_unique<ScriptedSink>();
    sink->answer([](const Delivery& delivery) {
      if (delivery.payload == "poison") ::_exit(kDied);
      return satchel::delivered();
    });
    Outbox outbox{path, options};
    outbox.attach(std::move(sink));
    // A message under suspicion is sent only when the process has lived for a moment.
    for (int moments = 0; moments < 3; ++moments) {
      while (outbox.run_once()) {
      }
      clock.advance(2s);
    }
    outbox.stop(std::chrono::seconds{1});
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("parity: a message that kills the process ends as a dead letter, and no innocent one does") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  Options options;
  options.max_attempts = 3;
  const auto clock = std::make_shared<ManualClock>();
  options.clock = clock;
  {
    Outbox outbox{path, options};
    for (const char* payload : {"before", "poison", "after"})
      outbox.enqueue({.topic = "t", .payload = payload});
  }
  int deaths = 0;
  int status = kDied;
  for (int round = 0; round < 20; ++round) {
    status = relay_in_child(path, options, *clock);
    if (status == kDied) ++deaths;
    clock->advance(10min);
  }
  CHECK(status == 0);
  CHECK(deaths >= 3);
  CHECK(deaths <= 6);
  const Outbox outbox{path, options};
  const auto letters = outbox.dead_letters();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].message.payload == "poison");
  CHECK(letters[0].reason == satchel::DeadReason::crashed);
  CHECK(outbox.status().pending == 0);
}

}  // namespace parity
