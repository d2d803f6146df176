// SPDX-License-Identifier: MIT
// A device with little flash that is offline for long: how much may wait is limited, and what has to go makes
// room by priority. Each loss is counted, and announced to the receiver. Usage: quota FILE SINK-URL
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

// With `reject`, the default, it is the application that decides what to do without.
void try_to_record(satchel::Outbox& outbox) {
  auto tx = outbox.begin();
  try {
    for (int number = 1; number <= 100; ++number)
      tx.enqueue({.topic = "plant/boiler/log", .payload = "log-" + std::to_string(number)});
    tx.commit();
  } catch (const satchel::QuotaExceeded& error) {
    std::cout << error.problem() << ": nothing of this transaction is kept\n";
    tx.rollback();
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) throw std::invalid_argument{"usage: quota FILE SINK-URL"};
  {
    satchel::Options strict;
    strict.quota = {.messages = 50};
    satchel::Outbox outbox{argv[1], strict};
    try_to_record(outbox);
  }

  satchel::Options options;
  options.quota = {.messages = 100,
                   .when_full = satchel::WhenFull::drop_lowest,
                   .exact = true,                // counts by priority
                   .bulk = {.messages = 60}};    // of these 100, logs may have so many
  options.announce_topic = "plant/boiler/lost";  // what was dropped, as a message of its own
  satchel::Outbox outbox{argv[1], options};
  outbox.attach(argv[2]);
  // Each transaction that drops something makes one announcement, which waits like a message: so many at
  // once.
  {
    auto tx = outbox.begin();
    for (int number = 1; number <= 200; ++number) {
      tx.enqueue({.topic = "plant/boiler/log",
                  .payload = "log-" + std::to_string(number),
                  .priority = satchel::Priority::bulk});
    }
    tx.commit();
  }
  {
    auto tx = outbox.begin();
    for (int number = 1; number <= 80; ++number)
      tx.enqueue({.topic = "plant/boiler/temperature", .payload = "reading-" + std::to_string(number)});
    tx.commit();
  }
  outbox.enqueue(
      {.topic = "plant/boiler/alarm", .payload = "overheated", .priority = satchel::Priority::urgent});
  std::cout << outbox.status().pending << " wait\n";

  for (const satchel::Dropped& dropped : outbox.dropped())
    std::cout << dropped.messages << " of " << dropped.topic << " dropped\n";
  outbox.start();
  while (outbox.status().pending > 0) std::this_thread::sleep_for(10ms);
  outbox.stop(5s);
  std::cout << outbox.status().delivered << " delivered\n";
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
