// SPDX-License-Identifier: MIT
// Commands for valves: one that fails must not be overtaken by the next one for the same valve, and is tried
// three times instead of the five that other messages get; then the valve's others wait until somebody mends
// the cause and replays it. The program also begins a new identity, as a device does once, at its first boot,
// so that nobody takes its messages for those of the image it was cloned from; and after an outage it does
// not come back in step with its fleet. Usage: commands DIRECTORY
#include <satchel/satchel.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

satchel::Options options() {
  satchel::Options options;
  options.dead_key = satchel::DeadKey::block;
  options.topics = {
      {.filter = "valve/#", .retry = {.max_attempts = 3, .backoff = satchel::Backoff{.base = 5ms}}}};
  options.drain_jitter = 20ms;
  return options;
}

template <class Condition>
bool wait_for(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(5ms);
  return condition();
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument{"usage: commands DIRECTORY"};
  satchel::Outbox outbox{std::string{argv[1]} + "/device.db", options()};
  const satchel::Identity of_the_image = outbox.identity();
  if (outbox.renew_identity() == of_the_image) throw std::runtime_error{"the identity is still the image's"};

  std::atomic<bool> stuck = true;
  outbox.attach(satchel::sink([&stuck](const satchel::Delivery& command) {
    if (stuck && command.key == "valve-1") return satchel::retry("valve 1 is stuck");
    std::cout << command.topic << ": " << command.payload << std::endl;
    return satchel::delivered();
  }));
  outbox.start();
  outbox.enqueue({.topic = "valve/1", .payload = "open", .key = "valve-1"});
  outbox.enqueue({.topic = "valve/1", .payload = "close", .key = "valve-1"});
  outbox.enqueue({.topic = "valve/2", .payload = "open", .key = "valve-2"});

  const bool blocked = wait_for([&] { return outbox.status().dead == 1 && outbox.status().delivered == 1; });
  for (const satchel::DeadLetter& letter : outbox.dead_letters())
    std::cout << "after " << letter.attempts << " attempts: " << letter.last_error << ", so "
              << letter.message.key << " waits\n";
  stuck = false;
  outbox.replay_all();
  const bool done = wait_for([&] { return outbox.status().pending == 0; });
  outbox.stop(5s);
  return blocked && done && outbox.status().delivered == 3 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
