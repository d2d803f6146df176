// SPDX-License-Identifier: MIT
#include "rig.hpp"

#include "sinks/verdicts/verdicts.hpp"

#include <map>

using namespace support;
using satchel::Receipt;
using satchel::verdicts::Source;

TEST_CASE("mqtt: every PUBACK code is answered by the table, with the broker's words") {
  for (const auto& row : satchel::verdicts::rows(Source::mqtt_puback)) {
    if (row.first != row.last) continue;
    CAPTURE(row.first);
    Rig rig;
    Peer peer = rig.connect();
    rig.sink.send(deliveries(42, 1));
    const WirePublish publish = peer.publish();
    peer.send(wire::puback(publish.id, static_cast<unsigned>(row.first), wire::reason_string("because")));
    const auto receipts = rig.relay.wait_receipts(1);
    REQUIRE(receipts.size() == 1);
    CHECK(receipts[0].claim == 42);
    CHECK(receipts[0].verdict == row.verdict);
    CHECK_FALSE(receipts[0].exposed);
    if (row.first >= 0x80) CHECK(contains(receipts[0].reason, "(because)"));
    if (row.hint == satchel::verdicts::Hint::fresh_connection) {
      CHECK(rig.relay.wait_down());
      CHECK(peer.wait_closed());
    } else {
      rig.sink.send(deliveries(43, 1));
      peer.send(wire::puback(peer.publish().id));
      CHECK(rig.relay.wait_receipts(2).size() == 2);
    }
  }
}

TEST_CASE(
    "mqtt: a PUBACK with a code that MQTT does not know breaks the connection and exposes the message") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 1));
  peer.send(wire::puback(peer.publish().id, 0x42));
  const auto receipts = rig.relay.wait_receipts(1);
  REQUIRE(receipts.size() == 1);
  // libmosquitto may treat it as a protocol error or hand it on: never as delivered.
  CHECK(receipts[0].verdict != Verdict::delivered);
  CHECK(receipts[0].verdict != Verdict::reject);
}

TEST_CASE(
    "mqtt: with MQTT 5 the message travels with id, key, time, headers, content type and what is left of its "
    "time") {
  Rig rig{[](MqttOptions& o) { o.topic_prefix = "site-7/"; }};
  Peer peer = rig.connect();
  satchel::Delivery message = delivery(7, "room/temperature", std::string("\0\xFF raw", 6));
  message.key = "room-1";
  message.content_type = "application/octet-stream";
  message.headers = {{"traceparent", "00-ab"}, {"unit", "°C"}, {"unit", "K"}};
  message.created = satchel::WallTime{std::chrono::milliseconds{1'769'860'800'123}};
  message.remaining = 1500ms;
  message.sequence = 42;
  rig.sink.send({message});
  const WirePublish publish = peer.publish();
  CHECK(publish.topic == "site-7/room/temperature");
  CHECK(publish.payload == message.payload);
  CHECK(publish.qos == 1);
  CHECK_FALSE(publish.retain);
  CHECK_FALSE(publish.duplicate);
  CHECK(publish.content_type == "application/octet-stream");
  CHECK(publish.expiry == 2U);
  const std::vector<std::pair<std::string, std::string>> expected{
      {"satchel-id", message.id.to_string()},
      {"satchel-key", "room-1"},
      {"satchel-created", "2026-01-31T12:00:00.123Z"},
      {"satchel-sequence", "42"},
      {"traceparent", "00-ab"},
      {"unit", "°C"},
      {"unit", "K"}};
  CHECK(publish.user_properties == expected);
}

TEST_CASE("mqtt: what a message does not have is not sent") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send({delivery(1, "t", "")});
  const WirePublish publish = peer.publish();
  CHECK(publish.payload.empty());
  CHECK(publish.content_type.empty());
  CHECK_FALSE(publish.expiry.has_value());
  CHECK(publish.user_properties.size() == 1);
}

TEST_CASE("mqtt: with MQTT 3.1.1 the payload travels alone, or in an envelope by option") {
  bool envelope = false;
  SUBCASE("alone") { envelope = false; }
  SUBCASE("envelope") { envelope = true; }
  Rig rig{[&](MqttOptions& o) {
    o.version = MqttVersion::v311;
    o.envelope = envelope;
    o.retain = true;
  }};
  Peer peer = rig.connect(wire::connack_311());
  satchel::Delivery message = delivery(5, "t", "hello");
  message.key = "k";
  rig.sink.send({message});
  const WirePublish publish = peer.publish(false);
  CHECK(publish.retain);
  CHECK(publish.topic == "t");
  if (envelope) {
    CHECK(contains(publish.payload, "\"specversion\":\"1.0\""));
    CHECK(contains(publish.payload, "\"data\":\"hello\""));
    CHECK(contains(publish.payload, message.id.to_string()));
  } else {
    CHECK(publish.payload == "hello");
  }
  peer.send(wire::puback(publish.id));
  const auto receipts = rig.relay.wait_receipts(1);
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].verdict == Verdict::delivered);
}

TEST_CASE("mqtt: messages go out in order, and receipts name them whatever the order of the answers") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 3));
  std::vector<unsigned> ids;
  for (std::uint64_t claim = 1; claim <= 3; ++claim) {
    const WirePublish publish = peer.publish();
    CHECK(publish.user_properties.at(0).second == delivery(claim).id.to_string());
    ids.push_back(publish.id);
  }
  peer.send(wire::puback(ids[2], 0x80) + wire::puback(ids[0]) + wire::puback(ids[1], 0x90));
  const auto receipts = rig.relay.wait_receipts(3);
  REQUIRE(receipts.size() == 3);
  std::map<std::uint64_t, Verdict> verdicts;
  for (const Receipt& receipt : receipts) verdicts[receipt.claim] = receipt.verdict;
  CHECK(verdicts ==
        std::map<std::uint64_t, Verdict>{{1, Verdict::delivered}, {2, Verdict::reject}, {3, Verdict::retry}});
}

TEST_CASE("mqtt: answers that come together are reported together") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 50));
  std::string answers;
  for (int i = 0; i < 50; ++i) answers += wire::puback(peer.publish().id);
  peer.send(answers);
  REQUIRE(rig.relay.wait_receipts(50).size() == 50);
  std::size_t calls = 0;
  for (const auto& event : rig.relay.events()) {
    if (event.kind == SinkRecorder::Kind::receipts) ++calls;
  }
  CHECK(calls <= 3);
}

TEST_CASE("mqtt: never more than the broker's Receive Maximum is under way") {
  Rig rig{[](MqttOptions& o) { o.window = 50; }};
  CHECK(rig.sink.capacity() == 50);
  Peer peer = rig.connect(wire::connack(0, wire::receive_maximum(2)));
  CHECK(rig.sink.capacity() == 2);
  // More than capacity: a relay that read it too early must not make the sink break the broker's rule.
  rig.sink.send(deliveries(1, 5));
  std::vector<unsigned> ids{peer.publish().id, peer.publish().id};
  CHECK(peer.is_silent(100ms));
  peer.send(wire::puback(ids[0]));
  ids.push_back(peer.publish().id);
  CHECK(peer.is_silent(100ms));
  peer.send(wire::puback(ids[1]) + wire::puback(ids[2]));
  ids.push_back(peer.publish().id);
  ids.push_back(peer.publish().id);
  peer.send(wire::puback(ids[3]) + wire::puback(ids[4]));
  CHECK(rig.relay.wait_receipts(5).size() == 5);
}

TEST_CASE("mqtt: a large Receive Maximum does not widen our own window") {
  Rig rig{[](MqttOptions& o) { o.window = 3; }};
  Peer peer = rig.connect(wire::connack(0, wire::receive_maximum(1000)));
  CHECK(rig.sink.capacity() == 3);
  rig.sink.send(deliveries(1, 4));
  for (int i = 0; i < 3; ++i) peer.publish();
  CHECK(peer.is_silent(100ms));
}

TEST_CASE(
    "mqtt: a message over the broker's Maximum Packet Size is rejected before it is sent, one at the limit "
    "is sent") {
  Rig probe;
  Peer first = probe.connect();
  probe.sink.send({delivery(1, "t", std::string(300, 'x'))});
  const std::size_t size = first.publish().size;

  Rig rig;
  Peer peer = rig.connect(wire::connack(0, wire::maximum_packet_size(static_cast<std::uint32_t>(size))));
  rig.sink.send({delivery(2, "t", std::string(301, 'x')), delivery(3, "t", std::string(300, 'x'))});
  const WirePublish publish = peer.publish();
  CHECK(publish.payload.size() == 300);
  CHECK(publish.size == size);
  peer.send(wire::puback(publish.id));
  const auto receipts = rig.relay.wait_receipts(2);
  REQUIRE(receipts.size() == 2);
  CHECK(receipts[0].claim == 2);
  CHECK(receipts[0].verdict == Verdict::reject);
  CHECK(contains(receipts[0].reason, std::to_string(size)));
  CHECK(receipts[1].verdict == Verdict::delivered);
}

TEST_CASE("mqtt: a topic that MQTT does not allow is rejected, and the connection stays") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(
      {delivery(1, "a/#"), delivery(2, std::string("a\0b", 3)), delivery(3, "\xFF"), delivery(4, "fine")});
  peer.send(wire::puback(peer.publish().id));
  const auto receipts = rig.relay.wait_receipts(4);
  REQUIRE(receipts.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK(receipts[i].verdict == Verdict::reject);
  CHECK(receipts[3].verdict == Verdict::delivered);
}

TEST_CASE("mqtt: at QoS 0 delivered means written") {
  Rig rig{[](MqttOptions& o) { o.qos = 0; }};
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 20));
  const auto receipts = rig.relay.wait_receipts(20);
  REQUIRE(receipts.size() == 20);
  for (const Receipt& receipt : receipts) CHECK(receipt.verdict == Verdict::delivered);
  for (int i = 0; i < 20; ++i) CHECK(peer.publish().qos == 0);
}

TEST_CASE("mqtt: unknown and repeated packet ids in PUBACK change nothing") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 2));
  const unsigned first = peer.publish().id;
  const unsigned second = peer.publish().id;
  peer.send(wire::puback(60'000) + wire::puback(first) + wire::puback(first) + wire::puback(first, 0x80));
  REQUIRE(rig.relay.wait_receipts(1).size() == 1);
  peer.send(wire::puback(second));
  const auto receipts = rig.relay.wait_receipts(2);
  REQUIRE(receipts.size() == 2);
  CHECK(receipts[0].claim == 1);
  CHECK(receipts[0].verdict == Verdict::delivered);
  CHECK(receipts[1].claim == 2);
  CHECK(receipts[1].verdict == Verdict::delivered);
}

TEST_CASE("mqtt: packet ids may wrap around many times") {
  Rig rig{[](MqttOptions& o) { o.window = 1000; }};
  Peer peer = rig.connect();
  constexpr std::size_t kCount = 70'000;
  std::size_t answered = 0;
  for (std::size_t sent = 0; sent < kCount; sent += 1000) {
    rig.sink.send(deliveries(sent + 1, 1000));
    std::string answers;
    for (int i = 0; i < 1000; ++i) answers += wire::puback(peer.publish().id);
    peer.send(answers);
    answered += 1000;
    REQUIRE(rig.relay.wait_receipts(answered).size() == answered);
  }
  std::uint64_t expected = 0;
  for (const Receipt& receipt : rig.relay.wait_receipts(kCount)) {
    REQUIRE(receipt.claim == ++expected);
    REQUIRE(receipt.verdict == Verdict::delivered);
  }
}
