// SPDX-License-Identifier: MIT
// Three ways out of one file: the site's broker by wire, the fleet's by a modem that costs money, and a
// backend that happens to be away. Each message takes the first route that matches its topic, and a route
// that does not get on holds up no other. Usage: routes FILE SITE-URL FLEET-URL BACKEND-URL
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

satchel::RouteOptions by_modem() {
  satchel::RouteOptions route;
  route.name = "modem";
  route.topics = {"fleet/#"};
  route.messages_per_second = 100;  // on average; as many at once
  route.budget = {.bytes = 100'000, .urgent_reserve = 10'000, .period = satchel::DataBudget::Period::day};
  route.quiet = {};       // { {.from = 8h, .to = 17h} } for urgent messages only in these hours
  route.paused = true;    // the modem is off
  route.sequence = true;  // the fleet's receiver does not see the site's messages
  return route;
}

void show(const satchel::Outbox& outbox) {
  const satchel::Status status = outbox.status();
  for (const satchel::RouteStatus& route : status.routes) {
    std::cout << route.name << ": " << route.delivered << " delivered" << (route.paused ? ", paused" : "");
    if (route.budget_used > 0) std::cout << ", " << route.budget_used << " bytes of the budget used";
    if (!route.sink_problem.empty()) std::cout << ", " << route.sink_problem;
    std::cout << "\n";
  }
  std::cout << status.pending << " pending\n\n";
}

std::uint64_t delivered(const satchel::Outbox& outbox, std::size_t route) {
  return outbox.status().routes.at(route).delivered;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) throw std::invalid_argument{"usage: routes FILE SITE-URL FLEET-URL BACKEND-URL"};
  satchel::Outbox outbox{argv[1]};
  outbox.attach(argv[2], {.name = "site", .topics = {"plant/#"}});
  outbox.attach(argv[3], by_modem());
  outbox.attach(argv[4], {.name = "backend"});  // all the rest
  outbox.start();

  for (int number = 1; number <= 200; ++number) {
    const std::string text = std::to_string(number);
    outbox.enqueue({.topic = "plant/boiler/temperature", .payload = text});
    outbox.enqueue({.topic = "fleet/7/temperature", .payload = text});
    if (number <= 50) outbox.enqueue({.topic = "billing", .payload = text});
  }
  while (delivered(outbox, 0) < 200) std::this_thread::sleep_for(10ms);
  show(outbox);

  std::cout << "the modem is on\n";
  const auto begin = std::chrono::steady_clock::now();
  outbox.resume("modem");
  while (delivered(outbox, 1) < 200) std::this_thread::sleep_for(10ms);
  const auto took = std::chrono::steady_clock::now() - begin;
  show(outbox);

  // One hundred at once, the others one by one.
  if (took < 900ms) throw std::runtime_error{"the modem was faster than allowed"};
  if (outbox.status().pending != 50) throw std::runtime_error{"the backend's messages do not wait"};
  outbox.stop(5s);
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
