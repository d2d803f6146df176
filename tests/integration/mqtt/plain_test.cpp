// SPDX-License-Identifier: MIT
#include "rig.hpp"

#include "support/subscriber.hpp"

#include <fstream>
#include <map>
#include <set>

using namespace support;

TEST_CASE("mqtt: a message reaches a real subscriber with everything that travels beside the payload") {
  Broker broker;
  Subscriber subscriber{broker.port()};
  MqttOptions options = options_for(broker.port());
  options.topic_prefix = "site-7/";
  Session session{options};
  REQUIRE(session.up());
  satchel::Delivery message = delivery(7, "room/temperature", std::string("\0\xFF raw", 6));
  message.key = "room-1";
  message.content_type = "application/octet-stream";
  message.headers = {{"unit",
                      "\xC2\xB0"
                      "C"}};
  message.created = satchel::WallTime{1'769'860'800'123ms};
  message.remaining = 90s;
  session.sink.send({message});
  const auto receipts = session.relay.wait_receipts(1);
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].claim == 7);
  CHECK(receipts[0].verdict == Verdict::delivered);
  const auto received = subscriber.wait(1);
  REQUIRE(received.size() == 1);
  CHECK(received[0].topic == "site-7/room/temperature");
  CHECK(received[0].payload == message.payload);
  CHECK(received[0].qos == 1);
  CHECK(received[0].property("satchel-id") == message.id.to_string());
  CHECK(received[0].property("satchel-key") == "room-1");
  CHECK(received[0].property("satchel-created") == "2026-01-31T12:00:00.123Z");
  CHECK(received[0].property("unit") ==
        "\xC2\xB0"
        "C");
  CHECK(received[0].content_type == "application/octet-stream");
  REQUIRE(received[0].expiry);
  CHECK(*received[0].expiry <= 90);
  CHECK(*received[0].expiry >= 60);
}

TEST_CASE(
    "mqtt: a thousand messages arrive in order, each once, with MQTT 5 and MQTT 3.1.1, at QoS 1 and 0") {
  Broker broker;
  for (const MqttVersion version : {MqttVersion::v5, MqttVersion::v311}) {
    for (const int qos : {1, 0}) {
      CAPTURE(qos);
      Subscriber subscriber{broker.port()};
      MqttOptions options = options_for(broker.port());
      options.version = version;
      options.qos = qos;
      Session session{options};
      REQUIRE(session.up());
      std::uint64_t next = 1;
      while (next <= 1000) {
        std::vector<satchel::Delivery> batch;
        for (int i = 0; i < 100; ++i, ++next) batch.push_back(delivery(next, "t", std::to_string(next)));
        session.sink.send(std::move(batch));
        REQUIRE(session.relay.wait_receipts(next - 1).size() == next - 1);
      }
      for (const auto& receipt : session.relay.wait_receipts(1000))
        CHECK(receipt.verdict == Verdict::delivered);
      const auto received = subscriber.wait(1000);
      REQUIRE(received.size() == 1000);
      for (std::size_t i = 0; i < 1000; ++i) {
        CHECK(received[i].payload == std::to_string(i + 1));
        CHECK(received[i].user_properties.empty() == (version == MqttVersion::v311));
      }
    }
  }
}

TEST_CASE("mqtt: a retained message is there for whoever subscribes later") {
  Broker broker;
  MqttOptions options = options_for(broker.port());
  options.retain = true;
  Session session{options};
  REQUIRE(session.up());
  session.sink.send({delivery(1, "state", "on")});
  REQUIRE(session.relay.wait_receipts(1).size() == 1);
  Subscriber late{broker.port()};
  const auto received = late.wait(1);
  REQUIRE(received.size() == 1);
  CHECK(received[0].payload == "on");
  CHECK(received[0].retain);
}

TEST_CASE("mqtt: the will is published when the connection is dropped, and not when it is ended in order") {
  Broker broker;
  Subscriber subscriber{broker.port(), "state/#"};
  MqttOptions options = options_for(broker.port());
  options.will = satchel::MqttWill{"state/gone", "bye", 1, false};
  {
    Session session{options};
    REQUIRE(session.up());
    // Frozen, it does not answer the message, which is then under way.
    broker.freeze();
    session.sink.send({delivery(1, "t", "")});
    session.sink.reset();
    REQUIRE(session.relay.wait_down());
    broker.thaw();
    REQUIRE(subscriber.wait(1).size() == 1);
    CHECK(subscriber.wait(1)[0].topic == "state/gone");
    CHECK(subscriber.wait(1)[0].payload == "bye");
    // A route that is paused does this.
    REQUIRE(session.up());
    session.sink.reset();
    REQUIRE(session.relay.wait_down());
    REQUIRE(session.up());
  }
  Session other{options_for(broker.port())};
  REQUIRE(other.up());
  other.sink.send({delivery(1, "state/after", "")});
  const auto received = subscriber.wait(2);
  REQUIRE(received.size() == 2);
  CHECK(received[1].topic == "state/after");
}

TEST_CASE(
    "mqtt: user name and password open the broker, and a wrong one blocks the sink without being repeated") {
  BrokerSetup setup;
  setup.username = "device";
  setup.password = "correct horse";
  Broker broker{setup};
  for (const MqttVersion version : {MqttVersion::v5, MqttVersion::v311}) {
    MqttOptions options = options_for(broker.port());
    options.version = version;
    options.username = "device";
    options.password = "wrong battery";
    Session wrong{options};
    const auto cause = wrong.down();
    REQUIRE(cause);
    CAPTURE(cause->reason);
    CHECK(cause->verdict == Verdict::blocked);
    CHECK_FALSE(contains(cause->reason, "battery"));
    options.password_file = broker.folder() + "/secret";
    std::ofstream{options.password_file} << "correct horse\n";
    Session right{options};
    CHECK(right.up());
  }
}

TEST_CASE("mqtt: a topic that the broker's rights do not allow is blocked, the others go on") {
  BrokerSetup setup;
  // Anonymous clients may write below open/ only.
  Broker probe;
  const std::string rights = probe.folder() + "/rights";
  std::ofstream{rights} << "topic readwrite open/#\n";
  // Without a limit of queued messages mosquitto 2.0.11 hangs up after it has denied a PUBLISH.
  setup.lines = {"acl_file " + rights, "max_queued_messages 1000"};
  Broker broker{setup};
  Session session{options_for(broker.port())};
  REQUIRE(session.up());
  session.sink.send({delivery(1, "closed/a"), delivery(2, "open/a")});
  const auto receipts = session.relay.wait_receipts(2);
  REQUIRE(receipts.size() == 2);
  std::map<std::uint64_t, Verdict> verdicts;
  for (const auto& receipt : receipts) verdicts[receipt.claim] = receipt.verdict;
  CHECK(verdicts[1] == Verdict::blocked);
  CHECK(verdicts[2] == Verdict::delivered);
}

TEST_CASE("mqtt: a broker that is killed in the middle of a window loses nothing, and the sink comes back") {
  Broker broker;
  Session session{options_for(broker.port())};
  REQUIRE(session.up());
  // Frozen, it takes the messages off the wire and answers none.
  broker.freeze();
  session.sink.send(deliveries(1, 100));
  broker.kill();
  const auto cause = session.relay.wait_down();
  REQUIRE(cause);
  CAPTURE(cause->reason);
  CHECK(cause->verdict == Verdict::down);
  const auto receipts = session.relay.wait_receipts(100);
  REQUIRE(receipts.size() == 100);
  for (const auto& receipt : receipts) CHECK(receipt.verdict == Verdict::down);
  const auto refused = session.down();
  REQUIRE(refused);
  CHECK(contains(refused->reason, "connection refused"));
  broker.restart();
  Subscriber subscriber{broker.port()};
  REQUIRE(session.up());
  session.sink.send(deliveries(101, 100));
  REQUIRE(session.relay.wait_receipts(200).size() == 200);
  // Only the new ones: nothing that the library might have kept of the first connection.
  const auto received = subscriber.wait(100);
  REQUIRE(received.size() == 100);
  CHECK(received[0].property("satchel-id") == delivery(101).id.to_string());
}

TEST_CASE("mqtt: a frozen broker is given up when acknowledgements stay out") {
  Broker broker;
  MqttOptions options = options_for(broker.port());
  options.ack_timeout = 300ms;
  Session session{options};
  REQUIRE(session.up());
  broker.freeze();
  session.sink.send(deliveries(1, 5));
  const auto cause = session.relay.wait_down();
  REQUIRE(cause);
  CAPTURE(cause->reason);
  CHECK(contains(cause->reason, "no PUBACK"));
  const auto receipts = session.relay.wait_receipts(5);
  REQUIRE(receipts.size() == 5);
  for (const auto& receipt : receipts) CHECK(receipt.exposed);
  broker.thaw();
  CHECK(session.up());
}

TEST_CASE("mqtt: the broker's limits are kept: Receive Maximum, Maximum Packet Size, Server Keep Alive") {
  BrokerSetup setup;
  setup.lines = {"max_packet_size 2000", "max_keepalive 10"};
  Broker broker{setup};
  MqttOptions options = options_for(broker.port());
  options.keep_alive = 60s;
  Session session{options};
  REQUIRE(session.up());
  session.sink.send({delivery(1, "t", std::string(3000, 'x')), delivery(2, "t", std::string(1000, 'x'))});
  const auto receipts = session.relay.wait_receipts(2);
  REQUIRE(receipts.size() == 2);
  CHECK(receipts[0].verdict == Verdict::reject);
  CHECK(receipts[1].verdict == Verdict::delivered);
}
