// SPDX-License-Identifier: MIT
//
// A broker that breaks the rules costs a connection, at worst, and never a message or the process.
#include "rig.hpp"

#include "sinks/mqtt/incoming.hpp"

using namespace support;
using satchel::mqtt::Incoming;
using satchel::mqtt::look_at;

namespace {

const std::string kNoProperty = wire::byte(0x7E) + wire::byte(1);

std::string publish(unsigned flags, const std::string& payload, unsigned id = 7) {
  return wire::packet(0x30U | flags, wire::text("t") + ((flags & 6U) != 0 ? wire::number(id) : "") +
                                         wire::with_length({}) + payload);
}

satchel::Receipt cause_of(Rig& rig) {
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CAPTURE(cause->reason);
  CHECK(cause->verdict == Verdict::down);
  return *cause;
}

}  // namespace

TEST_CASE("mqtt: a property that MQTT does not know ends the connection and not the process") {
  Rig rig;
  SUBCASE("in CONNACK") {
    rig.sink.resume();
    Peer peer = rig.broker.accept();
    peer.connect();
    peer.send(wire::connack(0, kNoProperty));
    cause_of(rig);
  }
  SUBCASE("in PUBACK, behind one that is sound") {
    Peer peer = rig.connect();
    rig.sink.send(deliveries(1, 2));
    const unsigned first = peer.publish().id;
    peer.send(wire::puback(first) + wire::puback(peer.publish().id, 0, kNoProperty));
    const auto receipts = rig.relay.wait_receipts(2);
    REQUIRE(receipts.size() == 2);
    CHECK(receipts[0].verdict == Verdict::delivered);
    CHECK(receipts[1].verdict == Verdict::down);
    CHECK(receipts[1].exposed);
    cause_of(rig);
  }
  SUBCASE("in DISCONNECT") {
    Peer peer = rig.connect();
    peer.send(wire::disconnect(0x8B, kNoProperty));
    cause_of(rig);
  }
  SUBCASE("in PUBLISH") {
    Peer peer = rig.connect();
    peer.send(wire::packet(0x30, wire::text("t") + wire::with_length(kNoProperty)));
    cause_of(rig);
  }
  const std::size_t before = rig.relay.wait_receipts(0).size();
  Peer next = rig.connect();
  rig.sink.send(deliveries(9, 1));
  next.send(wire::puback(next.publish().id));
  CHECK(rig.relay.wait_receipts(before + 1).back().verdict == Verdict::delivered);
}

TEST_CASE("mqtt: what no broker sends to a publisher ends the connection, and too much is not even read") {
  const std::string longest = wire::byte(0xFF) + wire::byte(0xFF) + wire::byte(0xFF) + wire::byte(0x7F);
  for (const MqttVersion version : {MqttVersion::v5, MqttVersion::v311}) {
    const bool v5 = version == MqttVersion::v5;
    Rig rig{[&](MqttOptions& o) { o.version = version; }};
    for (const std::string& bytes :
         {wire::byte(0x00) + wire::byte(0), wire::packet(0x10, "x"), wire::packet(0x50, wire::number(1)),
          wire::packet(0x70, wire::number(1)), wire::packet(0x90, "xxxxx"), wire::packet(0xB0, "xxxxx"),
          wire::packet(0xC0, {}), wire::packet(0xF0, {}), wire::byte(0x40) + longest,
          wire::byte(0x30) + longest, wire::byte(0x40) + longest.substr(0, 3) + longest}) {
      Peer peer = rig.connect(v5 ? wire::connack() : wire::connack_311());
      peer.send(bytes);
      cause_of(rig);
      CHECK(peer.wait_closed());
    }
  }
}

TEST_CASE("mqtt: a PUBACK that comes before its PUBLISH does not count") {
  Rig rig;
  Peer peer = rig.connect();
  peer.send(wire::puback(1) + wire::puback(2, 0x87) + wire::pingresp());
  // A message of an answer that goes out behind the early ones proves that they were read.
  peer.send(publish(2, "are you there"));
  CHECK(peer.packet()->type == 4);
  rig.sink.send(deliveries(1, 1));
  const WirePublish message = peer.publish();
  CHECK(message.id == 1);
  CHECK(rig.relay.wait_receipts(1, 100ms).empty());
  peer.send(wire::puback(message.id));
  const auto receipts = rig.relay.wait_receipts(1);
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].verdict == Verdict::delivered);
}

TEST_CASE("mqtt: messages that nobody subscribed to are answered and go nowhere") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 3));
  std::string answers;
  for (int i = 0; i < 3; ++i) {
    const unsigned id = peer.publish().id;
    answers += publish(0, "at most once") + wire::puback(id) + publish(2, "at least once", 10) +
               publish(4, "exactly once", 11) + wire::pingresp();
  }
  peer.send(answers);
  const auto receipts = rig.relay.wait_receipts(3);
  REQUIRE(receipts.size() == 3);
  for (const Receipt& receipt : receipts) CHECK(receipt.verdict == Verdict::delivered);
  CHECK(peer.packet()->type == 4);
  CHECK(peer.packet()->type == 5);
  peer.send(wire::packet(0x62, wire::number(11)));
  rig.sink.send(deliveries(4, 1));
  for (;;) {
    const auto packet = peer.packet();
    REQUIRE(packet);
    if (packet->type != 3) continue;
    peer.send(wire::puback(WirePublish{*packet, true}.id));
    break;
  }
  CHECK(rig.relay.wait_receipts(4).size() == 4);
}

TEST_CASE("mqtt: answers that come byte by byte, or broken in the middle, are understood or end in down") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 3));
  const std::string reason = wire::reason_string(std::string(100, 'r'));
  std::string answers;
  for (int i = 0; i < 2; ++i) answers += wire::puback(peer.publish().id, 0, reason) + wire::pingresp();
  for (const char byte : answers) peer.send(std::string(1, byte));
  for (const Receipt& receipt : rig.relay.wait_receipts(2)) CHECK(receipt.verdict == Verdict::delivered);
  peer.send(wire::puback(peer.publish().id).substr(0, 3));
  peer.close();
  const auto receipts = rig.relay.wait_receipts(3);
  REQUIRE(receipts.size() == 3);
  CHECK(receipts[2].verdict == Verdict::down);
  cause_of(rig);
}

TEST_CASE("mqtt: a packet is looked at up to its end, and the looker says how much it needs") {
  const std::string whole = wire::puback(0x1234, 0x10, wire::reason_string("no matching subscribers"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Incoming part = look_at(std::string_view{whole}.substr(0, size), true);
    CHECK(part.kind == Incoming::Kind::part);
    CHECK(part.size > size);
    CHECK(part.size <= whole.size());
  }
  const Incoming found = look_at(whole + "more", true);
  CHECK(found.kind == Incoming::Kind::whole);
  CHECK(found.size == whole.size());
  CHECK(found.is_puback);
  CHECK(found.packet_id == 0x1234);
  const std::string largest = wire::byte(0xD0) + "\x80\x80\x04";
  CHECK(look_at(largest, true).kind == Incoming::Kind::part);
  CHECK(look_at(largest, true).size == satchel::mqtt::kMaximumIncoming + 4);
  CHECK(look_at(wire::byte(0xD0) + "\x81\x80\x04", true).kind == Incoming::Kind::unexpected);
}
