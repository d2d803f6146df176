// SPDX-License-Identifier: MIT
#include "support/broker.hpp"
#include "support/deliveries.hpp"
#include "support/sink_recorder.hpp"

#include <satchel/mqtt.hpp>

#include <doctest/doctest.h>

using namespace satchel;
using namespace satchel::testing;
using namespace std::chrono_literals;

TEST_CASE("mqtt: a message is delivered when the broker has acknowledged it") {
  Broker broker;
  SinkRecorder relay;
  MqttOptions options;
  options.host = "127.0.0.1";
  options.port = broker.port();
  MqttSink sink{options};
  sink.start(relay);
  sink.resume();
  REQUIRE(relay.wait_up());
  sink.send(deliveries(1, 50));
  const auto receipts = relay.wait_receipts(50);
  REQUIRE(receipts.size() == 50);
  for (const Receipt& receipt : receipts) CHECK(receipt.verdict == Verdict::delivered);
  sink.stop(2s);
}
