// SPDX-License-Identifier: MIT
#include "unit/event/events.hpp"

#include <satchel/event_bus.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace satchel {

namespace {

/// Application code: knows no outbox, no sink, no transaction.
class Boiler {
 public:
  explicit Boiler(EventPublisher events) : events_{events} {
    events_.subscribe<Overheated>([events](const Overheated& event) {
      if (event.celsius > 1000) throw std::runtime_error{"sensor broken"};
      events.publish(LineStopped{.line = event.line, .shift = 1, .celsius = event.celsius});
    });
  }
  void measure(double celsius) const {
    events_.publish(Heartbeat{.count = 1});
    if (celsius > 100) events_.publish(Overheated{.line = "boiler", .celsius = celsius});
  }

 private:
  EventPublisher events_;
};

/// What the application does, whatever the bus.
void run_application(EventBus& bus) {
  bus.add_propagator([](std::vector<Header>& headers) { headers.push_back({"tracestate", "x=1"}); });
  const Boiler boiler{EventPublisher{bus}};
  boiler.measure(20);
  boiler.measure(120);
  CHECK_THROWS_WITH_AS(boiler.measure(2000), "sensor broken", std::runtime_error);
}

/// What arrived, one line a message.
std::vector<std::string> arrived(const std::vector<Delivery>& deliveries) {
  std::vector<std::string> lines;
  for (const Delivery& delivery : deliveries) {
    lines.push_back(delivery.topic + " " + delivery.payload + " " + delivery.content_type + " " +
                    header_of(delivery.headers, "event-name") + " " +
                    header_of(delivery.headers, "tracestate"));
  }
  return lines;
}

}  // namespace

TEST_CASE("bus: the same application code runs over the outbox and straight to the sink") {
  const std::vector<std::string> expected{
      R"(heartbeat {"count":1} application/json heartbeat x=1)",
      R"(heartbeat {"count":1} application/json heartbeat x=1)",
      R"(plant/boiler/stopped {"line":"boiler","shift":1,"celsius":120.0} application/json line-stopped x=1)",
      R"(heartbeat {"count":1} application/json heartbeat x=1)",
  };
  SUBCASE("over the outbox") {
    EventBench bench;
    OutboxEventBus bus{bench.outbox};
    run_application(bus);
    CHECK(bench.echo->taken().empty());
    CHECK(arrived(bench.deliveries()) == expected);
  }
  SUBCASE("straight to the sink") {
    const auto echo = std::make_shared<support::Echo>();
    DirectEventBus bus{support::EchoSink{echo}};
    run_application(bus);
    CHECK(arrived(echo->taken()) == expected);
  }
}

TEST_CASE("bus: over the outbox events and handlers belong to the transaction that the thread has open") {
  EventBench bench;
  OutboxEventBus bus{bench.outbox};
  const Boiler boiler{EventPublisher{bus}};
  bench.outbox.subscribe<Overheated>(
      [](const Overheated& event, Transaction& tx) { EventBench::log(tx, event.line); });
  {
    Transaction tx = bench.outbox.begin();
    boiler.measure(120);
  }
  CHECK(bench.deliveries().empty());
  CHECK(bench.logged().empty());

  Transaction tx = bench.outbox.begin();
  boiler.measure(120);
  tx.commit();
  CHECK(bench.deliveries().size() == 2);
  CHECK(bench.logged() == std::vector<std::string>{"boiler"});

  Transaction failing = bench.outbox.begin();
  CHECK_THROWS_AS(boiler.measure(2000), std::runtime_error);
  CHECK_THROWS_AS(failing.commit(), UsageError);
  CHECK(bench.deliveries().size() == 2);
}

}  // namespace satchel
