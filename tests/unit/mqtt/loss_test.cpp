// SPDX-License-Identifier: MIT
#include "rig.hpp"

#include "sinks/verdicts/verdicts.hpp"
#include "support/inherited.hpp"

#include <algorithm>

using namespace support;
using satchel::Receipt;
using satchel::verdicts::Source;

namespace {

/// All receipts say: down, exposed, for the reason of the loss; and they came before the event.
void check_lost(Rig& rig, std::size_t count, const Receipt& cause) {
  const auto receipts = rig.relay.wait_receipts(count);
  REQUIRE(receipts.size() == count);
  for (const Receipt& receipt : receipts) {
    CHECK(receipt.verdict == Verdict::down);
    CHECK(receipt.exposed);
    CHECK(receipt.reason == cause.reason);
  }
  CHECK(rig.relay.events().back().kind == SinkRecorder::Kind::down);
}

}  // namespace

TEST_CASE("mqtt: every DISCONNECT code is answered by the table, and what was on the wire is exposed") {
  for (const auto& row : satchel::verdicts::rows(Source::mqtt_disconnect)) {
    if (row.first != row.last) continue;
    CAPTURE(row.first);
    Rig rig;
    Peer peer = rig.connect();
    rig.sink.send(deliveries(1, 2));
    peer.publish();
    peer.publish();
    peer.send(wire::disconnect(static_cast<unsigned>(row.first), wire::reason_string("as you like it")));
    const auto cause = rig.relay.wait_down();
    REQUIRE(cause);
    CHECK(cause->verdict == row.verdict);
    CHECK(contains(cause->reason, std::string(row.name)));
    check_lost(rig, 2, *cause);
  }
}

TEST_CASE("mqtt: a connection that is closed, reset or talks garbage exposes what was on the wire") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 3));
  for (int i = 0; i < 3; ++i) peer.publish();
  SUBCASE("closed") { peer.close(); }
  SUBCASE("reset") { peer.abort(); }
  SUBCASE("garbage") { peer.send(std::string(100, '\xFF')); }
  SUBCASE("a DISCONNECT without a code") { peer.send(std::string("\xE0\x00", 2)); }
  SUBCASE("a CONNECT from the broker") { peer.send(std::string("\x10\x00", 2)); }
  SUBCASE("a packet of the largest length") { peer.send(std::string("\x40\xFF\xFF\xFF\xFF\x7F", 6)); }
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  check_lost(rig, 3, *cause);
}

TEST_CASE("mqtt: what was answered before the connection broke keeps its answer") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 2));
  const unsigned first = peer.publish().id;
  peer.publish();
  peer.send(wire::puback(first));
  peer.close();
  REQUIRE(rig.relay.wait_down());
  const auto receipts = rig.relay.wait_receipts(2);
  REQUIRE(receipts.size() == 2);
  CHECK(receipts[0].claim == 1);
  CHECK(receipts[0].verdict == Verdict::delivered);
  CHECK(receipts[1].claim == 2);
  CHECK(receipts[1].exposed);
}

TEST_CASE("mqtt: what never reached the wire is not exposed") {
  Rig rig{[](MqttOptions& o) { o.window = 2; }};
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 3));
  peer.publish();
  peer.publish();
  peer.close();
  REQUIRE(rig.relay.wait_down());
  auto receipts = rig.relay.wait_receipts(3);
  REQUIRE(receipts.size() == 3);
  for (const Receipt& receipt : receipts) {
    CHECK(receipt.verdict == Verdict::down);
    CHECK(receipt.exposed == (receipt.claim != 3));
  }
}

TEST_CASE("mqtt: while the peer does not read, only what the socket took counts as exposed") {
  Rig rig{[](MqttOptions& o) { o.ack_timeout = 500ms; }};
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 50, "t", std::string(1 << 20, 'x')));
  REQUIRE(rig.relay.wait_down());
  const auto receipts = rig.relay.wait_receipts(50);
  REQUIRE(receipts.size() == 50);
  const auto exposed =
      std::count_if(receipts.begin(), receipts.end(), [](const Receipt& r) { return r.exposed; });
  CHECK(exposed >= 1);
  CHECK(exposed < 50);
}

TEST_CASE(
    "mqtt: a late PUBACK is waited for until the acknowledgement timeout, then the connection is dropped") {
  Rig rig{[](MqttOptions& o) { o.ack_timeout = 300ms; }};
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 1));
  peer.publish();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  CHECK(contains(cause->reason, "no PUBACK within 300 ms"));
  check_lost(rig, 1, *cause);
  // Nothing was sent a second time on the living connection.
  CHECK_FALSE(peer.packet().has_value());
}

TEST_CASE("mqtt: answers keep a busy connection alive, however long ago its first message was sent") {
  Rig rig{[](MqttOptions& o) { o.ack_timeout = 400ms; }};
  Peer peer = rig.connect();
  for (std::size_t claim = 1; claim <= 4; ++claim) {
    rig.sink.send(deliveries(claim, 1));
    const unsigned id = peer.publish().id;
    // Half of the timeout: waits for a byte that does not come.
    CHECK(peer.is_silent(200ms));
    peer.send(wire::puback(id));
    REQUIRE(rig.relay.wait_receipts(claim).size() == claim);
  }
  for (const Receipt& receipt : rig.relay.wait_receipts(4)) CHECK(receipt.verdict == Verdict::delivered);
}

TEST_CASE(
    "mqtt: the broker's keep-alive is honoured, and a half-open link is found when the ping stays "
    "unanswered") {
  Rig rig;
  Peer peer = rig.connect(wire::connack(0, wire::server_keep_alive(1)));
  const auto begin = std::chrono::steady_clock::now();
  peer.ping();
  peer.send(wire::pingresp());
  peer.ping();
  // MQTT gives the client one and a half times the keep-alive; two rounds have passed.
  CHECK(std::chrono::steady_clock::now() - begin < 3500ms);
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  CHECK(contains(cause->reason, "keep-alive"));
}

TEST_CASE("mqtt: reset gives up the connection and everything under way") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 2));
  peer.publish();
  peer.publish();
  rig.sink.reset();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  check_lost(rig, 2, *cause);
  // Without a good-bye: what became of the two is unknown, and the will is in its place.
  CHECK_FALSE(peer.packet());
  CHECK(peer.wait_closed());
  rig.sink.resume();
  Peer again = rig.broker.accept();
  again.connect();
  again.send(wire::connack());
  CHECK(rig.relay.wait_up());
}

TEST_CASE("mqtt: reset with nothing under way says good-bye, so that the broker does not publish the will") {
  Rig rig;
  Peer peer = rig.connect();
  SUBCASE("nothing was sent") {}
  SUBCASE("all was answered") {
    rig.sink.send(deliveries(1, 1));
    peer.send(wire::puback(peer.publish().id));
    REQUIRE(rig.relay.wait_receipts(1).size() == 1);
  }
  rig.sink.reset();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(contains(cause->reason, "on request"));
  peer.disconnect();
  CHECK(peer.wait_closed());
  rig.connect();
}

TEST_CASE("mqtt: reset while connecting and while idle is answered with down") {
  Rig rig;
  rig.sink.reset();
  CHECK(rig.relay.wait_down());
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  rig.sink.reset();
  CHECK(rig.relay.wait_down());
  CHECK(peer.wait_closed());
}

TEST_CASE("mqtt: deliveries that cross the loss of the connection are answered, unexposed") {
  Rig rig;
  Peer peer = rig.connect();
  peer.close();
  REQUIRE(rig.relay.wait_down());
  rig.sink.send(deliveries(1, 2));
  const auto receipts = rig.relay.wait_receipts(2);
  REQUIRE(receipts.size() == 2);
  for (const Receipt& receipt : receipts) {
    CHECK(receipt.verdict == Verdict::down);
    CHECK_FALSE(receipt.exposed);
  }
}

TEST_CASE("mqtt: nothing of an earlier connection comes back on the next one") {
  Rig rig;
  Peer first = rig.connect(wire::connack(0, wire::receive_maximum(1) + wire::maximum_packet_size(200)));
  rig.sink.send(deliveries(1, 1));
  first.publish();
  first.close();
  REQUIRE(rig.relay.wait_down());
  Peer second = rig.connect();
  CHECK(rig.sink.capacity() == 100);
  CHECK(second.is_silent(100ms));
  rig.sink.send({delivery(9, "t", std::string(500, 'x'))});
  const WirePublish publish = second.publish();
  CHECK_FALSE(publish.duplicate);
  CHECK(publish.payload.size() == 500);
}

TEST_CASE("mqtt: a process that the application starts does not get the connection") {
  Rig rig;
  // While it is made, and when it is there.
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  CHECK(connections_to(rig.broker.port()).inherited == 0);
  peer.send(wire::connack());
  REQUIRE(rig.relay.wait_up());
  const Connections connections = connections_to(rig.broker.port());
  CHECK(connections.kept == 1);
  CHECK(connections.inherited == 0);
}
