// SPDX-License-Identifier: MIT
#pragma once

#include "bench.hpp"

#include <string>
#include <utility>
#include <vector>

namespace satchel::relay {

/// A relay with several routes, each with a scripted sink that delivers at once.
struct RoutesBench {
  RoutesBench(std::vector<RouteOptions> wanted, Options changed = {})
      : options{std::move(changed)}, routes{std::move(wanted)} {
    start();
  }
  ~RoutesBench() {
    for (const auto& sink : sinks) CHECK(sink->breaches() == std::vector<std::string>{});
  }
  RoutesBench(const RoutesBench&) = delete;
  RoutesBench& operator=(const RoutesBench&) = delete;

  void start() {
    sinks.clear();
    for (std::size_t route = 0; route < routes.size(); ++route) {
      sinks.push_back(std::make_unique<ScriptedSink>());
      sinks.back()->answer([](const Delivery&) { return delivered(); });
    }
    join();
  }
  /// Makes the relay over the sinks that there are.
  void join() {
    relay.reset();
    storage = std::make_unique<MemoryStorage>(clock, medium);
    std::vector<Relay::Way> ways;
    for (std::size_t route = 0; route < routes.size(); ++route)
      ways.push_back({*sinks[route], routes[route]});
    relay = std::make_unique<Relay>(
        options, Relay::Ports{*storage, clock, witness, std::move(ways)}, [this] { ++wakes; }, 7);
  }
  void crash() {
    relay.reset();
    storage.reset();
    start();
  }

  std::int64_t put(const std::string& topic, const std::string& key = {}) {
    return storage->save({.topic = topic, .payload = "p", .key = key}).row;
  }
  void run() {
    int rounds = 0;
    while (relay->step()) REQUIRE(++rounds < 100'000);
    const auto next = relay->next_step();
    CHECK((!next || *next > clock.now()));
  }
  void run_for(std::chrono::microseconds time) {
    const BootTime end = clock.now() + time;
    run();
    for (int events = 0;; ++events) {
      REQUIRE(events < 1'000'000);
      const auto next = relay->next_step();
      if (!next || *next > end) break;
      clock.set_now(*next);
      run();
    }
    clock.set_now(end);
    run();
  }
  std::vector<std::int64_t> sent(std::size_t route) {
    std::vector<std::int64_t> rows;
    for (const Delivery& delivery : sinks[route]->take_sent()) rows.push_back(delivery.id.row);
    return rows;
  }
  std::vector<std::int64_t> under_way(std::size_t route) const {
    std::vector<std::int64_t> rows;
    for (const Delivery& delivery : sinks[route]->under_way()) rows.push_back(delivery.id.row);
    return rows;
  }
  RouteStatus status(std::size_t route) const { return relay->snapshot().routes.at(route); }

  Options options;
  std::vector<RouteOptions> routes;
  ManualClock clock;
  std::shared_ptr<MemoryMedium> medium = std::make_shared<MemoryMedium>();
  Witness witness;
  int wakes = 0;
  std::unique_ptr<MemoryStorage> storage;
  std::vector<std::unique_ptr<ScriptedSink>> sinks;
  std::unique_ptr<Relay> relay;
};

inline RouteOptions route_of(const std::string& name, std::vector<std::string> topics = {"#"}) {
  RouteOptions route;
  route.name = name;
  route.topics = std::move(topics);
  return route;
}

}  // namespace satchel::relay
