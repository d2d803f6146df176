// SPDX-License-Identifier: MIT
// An alarm overtakes a backlog. The device was offline and has many readings to send; what is urgent
// goes first, and bulk data goes when there is time for it, but never not at all.
// Usage: priorities FILE SINK-URL
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc < 3) throw std::invalid_argument{"usage: priorities FILE SINK-URL"};
  satchel::Options options;
  options.window = 20;      // so many may be under way at once: an alarm waits for these at most
  options.bulk_share = 10;  // while others wait, one message of ten is bulk
  // By topic, so that the code that sends need not know.
  options.topics = {{.filter = "plant/+/alarm", .priority = satchel::Priority::urgent},
                    {.filter = "plant/+/log", .priority = satchel::Priority::bulk}};
  satchel::Outbox outbox{argv[1], options};
  outbox.attach(argv[2], {.messages_per_second = 200});  // a slow link

  {
    auto tx = outbox.begin();
    for (int number = 1; number <= 100; ++number)
      tx.enqueue({.topic = "plant/boiler/log", .payload = "log-" + std::to_string(number)});
    for (int number = 1; number <= 600; ++number)
      tx.enqueue({.topic = "plant/boiler/temperature", .payload = "reading-" + std::to_string(number)});
    tx.commit();
  }
  outbox.enqueue({.topic = "plant/boiler/alarm", .payload = "overheated"});
  outbox.start();

  // Half of it is sent when the next alarm comes.
  while (outbox.status().delivered < 300) std::this_thread::sleep_for(1ms);
  outbox.enqueue({.topic = "plant/boiler/alarm", .payload = "overheated-again"});

  while (outbox.status().pending > 0) std::this_thread::sleep_for(10ms);
  outbox.stop(5s);
  std::cout << outbox.status().delivered << " delivered\n";
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
