// SPDX-License-Identifier: MIT
// A modem that costs money, and readings that matter less the older they are. What waits goes newest first;
// in quiet hours only alarms are sent; and a part of what may be sent in a day is kept for them.
// Usage: metered FILE SINK-URL
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

satchel::RouteOptions modem() {
  satchel::RouteOptions route;
  route.name = "modem";
  route.drain = satchel::Drain::newest_first;
  route.budget = {.bytes = 540, .urgent_reserve = 270, .period = satchel::DataBudget::Period::day};
  return route;
}

satchel::RouteOptions modem_in_quiet_hours() {
  satchel::RouteOptions route = modem();
  route.quiet = {{.from = 0h, .to = 24h}};  // for this example; otherwise { {.from = 22h, .to = 6h} }, in UTC
  return route;
}

satchel::Message alarm(const std::string& text) {
  return {.topic = "plant/alarm", .payload = text, .priority = satchel::Priority::urgent};
}

void wait_until(const satchel::Outbox& outbox, std::uint64_t delivered) {
  const auto held_back = [&] {
    const satchel::RouteStatus route = outbox.status().routes.at(0);
    return route.held_back && route.delivered >= delivered && outbox.status().in_flight == 0;
  };
  while (!held_back()) std::this_thread::sleep_for(10ms);
  const satchel::RouteStatus route = outbox.status().routes.at(0);
  std::cout << route.delivered << " delivered, " << route.budget_used << " bytes used, "
            << outbox.status().pending << " pending\n";
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) throw std::invalid_argument{"usage: metered FILE SINK-URL"};
  {
    std::cout << "quiet hours\n";
    satchel::Outbox outbox{argv[1]};
    outbox.attach(argv[2], modem_in_quiet_hours());
    for (int number = 10; number < 40; ++number)
      outbox.enqueue({.topic = "plant/temperature", .payload = "reading-" + std::to_string(number)});
    outbox.enqueue(alarm("overheated"));
    outbox.start();
    wait_until(outbox, 1);
    outbox.stop(5s);
  }
  std::cout << "the day begins\n";
  satchel::Outbox outbox{argv[1]};
  outbox.attach(argv[2], modem());
  outbox.start();
  wait_until(outbox, 9);
  outbox.enqueue(alarm("overheated-again"));
  wait_until(outbox, 10);
  outbox.stop(5s);
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
