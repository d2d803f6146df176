// SPDX-License-Identifier: MIT
// A device without a battery-backed clock: at boot it shows some date of the past, and its readings cannot
// wait until somebody tells it the time. What is sent before that has no date; what was stored before that
// and is sent later has the right one, and nothing expires because the clock jumped. Usage: clock FILE
// SINK-URL
#include <satchel/satchel.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

void wait_until_delivered(const satchel::Outbox& outbox, std::uint64_t count) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (outbox.status().delivered < count) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error{outbox.status().sink_problem};
    std::this_thread::sleep_for(5ms);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument{"usage: clock FILE SINK-URL"};
  // What the time service of the device says. Without this callback the kernel is asked (adjtimex).
  std::atomic<bool> synchronised = false;
  satchel::Options options;
  options.trust_clock = [&synchronised](satchel::WallTime) { return synchronised.load(); };
  satchel::Outbox outbox{argv[1], options};
  outbox.attach(argv[2], {.name = "modem"});
  outbox.start();

  outbox.enqueue({.topic = "device/boot", .payload = "no time yet"});
  wait_until_delivered(outbox, 1);

  outbox.pause("modem");  // out of reach for a while
  outbox.enqueue({.topic = "device/reading", .payload = "71.5", .expires_after = 1h});
  synchronised = true;  // the time came, perhaps decades later than what the clock showed
  outbox.enqueue({.topic = "device/reading", .payload = "71.6", .expires_after = 1h});
  outbox.resume("modem");
  wait_until_delivered(outbox, 3);
  outbox.stop(5s);
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
