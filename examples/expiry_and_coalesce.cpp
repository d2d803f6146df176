// SPDX-License-Identifier: MIT
// What need not be sent any more is not sent: of a state only the last value, of a horn only what can still
// be heard. And what must not be sent yet waits in the file. Usage: expiry_and_coalesce FILE SINK-URL
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc < 3) throw std::invalid_argument{"usage: expiry_and_coalesce FILE SINK-URL"};
  satchel::Options options;
  options.topics = {{.filter = "plant/+/state", .coalesce = true},
                    {.filter = "plant/+/horn", .expires_after = 100ms},
                    {.filter = "plant/+/reminder", .not_before = 1s}};
  satchel::Outbox outbox{argv[1], options};
  outbox.attach(argv[2]);

  // Nobody listens yet. Each state takes the place of the one before, in the same transaction.
  outbox.enqueue({.topic = "plant/boiler/horn", .payload = "beep"});
  for (int celsius = 21; celsius <= 90; ++celsius)
    outbox.enqueue({.topic = "plant/boiler/state", .payload = std::to_string(celsius), .key = "boiler"});
  outbox.enqueue({.topic = "plant/boiler/reminder", .payload = "look-again"});
  std::cout << outbox.status().pending << " wait\n";

  std::this_thread::sleep_for(200ms);
  outbox.start();
  while (outbox.status().pending > 0) std::this_thread::sleep_for(10ms);
  outbox.stop(5s);

  for (const satchel::Dropped& dropped : outbox.dropped()) {
    std::cout << dropped.messages << " of " << dropped.topic << " " << satchel::to_string(dropped.reason)
              << "\n";
  }
  std::cout << outbox.status().delivered << " delivered\n";
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
