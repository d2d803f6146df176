// SPDX-License-Identifier: MIT
#include "rig.hpp"

#include "sinks/verdicts/verdicts.hpp"
#include "support/temporary_name.hpp"

#include <netdb.h>

#include <cstdio>
#include <fstream>
#include <future>

using namespace support;
using satchel::Receipt;
using satchel::verdicts::Source;

namespace {

/// Resumes, lets the broker do `act` with the connection after CONNECT, and returns why the sink is down.
Receipt down_after_connect(Rig& rig, const std::function<void(Peer&)>& act) {
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  act(peer);
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause.has_value());
  return *cause;
}

satchel::mqtt::Addresses two_addresses(const std::string&) { return {{"127.0.0.2", "127.0.0.1"}, 0}; }

}  // namespace

TEST_CASE("mqtt: every CONNACK code of MQTT 5 is answered by the table") {
  Rig rig;
  for (const auto& row : satchel::verdicts::rows(Source::mqtt_connack_5)) {
    if (row.first != row.last || row.first == 0) continue;
    CAPTURE(row.first);
    const Receipt cause = down_after_connect(rig, [&](Peer& peer) {
      peer.send(wire::connack(static_cast<unsigned>(row.first), wire::reason_string("so it is")));
    });
    CHECK(cause.verdict == row.verdict);
    CHECK(contains(cause.reason, std::string(row.name)));
    CHECK(contains(cause.reason, "(so it is)"));
  }
}

TEST_CASE("mqtt: every CONNACK code of MQTT 3.1.1 is answered by the table") {
  Rig rig{[](MqttOptions& o) { o.version = MqttVersion::v311; }};
  for (const auto& row : satchel::verdicts::rows(Source::mqtt_connack_311)) {
    if (row.first != row.last || row.first == 0) continue;
    CAPTURE(row.first);
    const Receipt cause = down_after_connect(
        rig, [&](Peer& peer) { peer.send(wire::connack_311(static_cast<unsigned>(row.first))); });
    CHECK(cause.verdict == row.verdict);
    CHECK(contains(cause.reason, std::string(row.name)));
  }
}

TEST_CASE("mqtt: a redirection says where to") {
  Rig rig;
  const Receipt cause = down_after_connect(
      rig, [](Peer& peer) { peer.send(wire::connack(0x9D, wire::server_reference("other.example:1883"))); });
  CHECK(cause.verdict == Verdict::blocked);
  CHECK(contains(cause.reason, "other.example:1883"));
}

TEST_CASE("mqtt: CONNECT carries the session that the options describe, and the session is clean") {
  const std::string file = temporary_name();
  std::ofstream{file} << "first secret\r\nsecond line\n";
  Rig rig{[&](MqttOptions& o) {
    o.client_id = "device-7";
    o.username = "user";
    o.password = "not this one";
    o.password_file = file;
    o.keep_alive = std::chrono::seconds{77};
    o.will = satchel::MqttWill{"gone", "bye", 1, true};
  }};
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  const WireConnect first = peer.connect();
  CHECK(first.protocol == "MQTT");
  CHECK(first.level == 5);
  CHECK(first.clean());
  CHECK(first.client_id == "device-7");
  CHECK(first.username == "user");
  CHECK(first.password == "first secret");
  CHECK(first.keep_alive == 77);
  CHECK(first.will_topic == "gone");
  CHECK(first.will_payload == "bye");
  CHECK((first.flags & 0x38U) == 0x28U);  // will: QoS 1, retain
  peer.close();
  REQUIRE(rig.relay.wait_down());
  // The password has rotated meanwhile.
  std::ofstream{file} << "second secret";
  rig.sink.resume();
  Peer again = rig.broker.accept();
  CHECK(again.connect().password == "second secret");
  std::remove(file.c_str());
}

TEST_CASE("mqtt: a password file that cannot be read blocks the sink and is named without its content") {
  Rig rig{[](MqttOptions& o) {
    o.username = "user";
    o.password_file = "/nowhere/password";
  }};
  rig.sink.resume();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::blocked);
  CHECK(contains(cause->reason, "/nowhere/password"));
}

TEST_CASE("mqtt: without a client id each sink makes one that every broker accepts, and keeps it") {
  // Two routes of one outbox may lead to the same broker.
  std::string ids[2][2];
  for (auto& of_one_sink : ids) {
    Rig rig;
    for (std::string& id : of_one_sink) {
      rig.sink.resume();
      id = rig.broker.accept().connect().client_id;
      REQUIRE(rig.relay.wait_down());
    }
  }
  CHECK(ids[0][0] == ids[0][1]);
  CHECK(ids[1][0] == ids[1][1]);
  CHECK(ids[0][0] != ids[1][0]);
  CHECK(ids[0][0].size() == 23);
  CHECK(ids[0][0].substr(0, 8) == "satchel-");
  CHECK(ids[0][0].find_first_not_of("0123456789abcdef", 8) == std::string::npos);
}

TEST_CASE("mqtt: nobody listens: the sink is down at once and says why") {
  Rig rig;
  rig.broker.stop_listening();
  rig.sink.resume();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  CHECK(contains(cause->reason, "connection refused"));
  CHECK(contains(cause->reason, "127.0.0.1"));
}

TEST_CASE("mqtt: a broker that never sends CONNACK is given up after the connect timeout") {
  Rig rig{[](MqttOptions& o) { o.connect_timeout = 150ms; }};
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  CHECK(contains(cause->reason, "no connection in time"));
  CHECK(contains(cause->reason, "no CONNACK"));
  CHECK(peer.wait_closed());
}

TEST_CASE("mqtt: a connection that is never accepted is given up after the connect timeout") {
  // The queue of the listening socket is full: the kernel drops the next SYN.
  const Descriptor listener = bound_socket(0);
  std::vector<Descriptor> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    const sockaddr_in address = loopback_address(port_of(listener.get()));
    static_cast<void>(
        ::connect(fillers.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }
  Rig rig{[&](MqttOptions& o) {
    o.port = port_of(listener.get());
    o.connect_timeout = 200ms;
  }};
  rig.sink.resume();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  CHECK(contains(cause->reason, "no connection in time"));
}

TEST_CASE("mqtt: a broker that closes, resets or talks garbage before CONNACK makes the sink go down") {
  Rig rig;
  SUBCASE("closes") {
    const Receipt cause = down_after_connect(rig, [](Peer& peer) { peer.close(); });
    CHECK(cause.verdict == Verdict::down);
    CHECK(contains(cause.reason, "without an answer"));
  }
  SUBCASE("resets") {
    CHECK(down_after_connect(rig, [](Peer& peer) { peer.abort(); }).verdict == Verdict::down);
  }
  SUBCASE("talks HTTP") {
    CHECK(down_after_connect(rig, [](Peer& peer) {
            peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
          }).verdict == Verdict::down);
  }
  SUBCASE("sends a PUBACK") {
    CHECK(down_after_connect(rig, [](Peer& peer) { peer.send(wire::puback(1)); }).verdict == Verdict::down);
  }
  SUBCASE("sends a CONNACK with Receive Maximum 0") {
    CHECK(down_after_connect(rig, [](Peer& peer) {
            peer.send(wire::connack(0, wire::receive_maximum(0)));
          }).verdict == Verdict::down);
  }
  SUBCASE("sends half a CONNACK and closes") {
    CHECK(down_after_connect(rig, [](Peer& peer) {
            peer.send(wire::connack().substr(0, 3));
            peer.close();
          }).verdict == Verdict::down);
  }
  // And it is fit for another try.
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  peer.send(wire::connack());
  CHECK(rig.relay.wait_up());
}

TEST_CASE("mqtt: a CONNACK that comes byte by byte is understood") {
  Rig rig;
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  for (const char byte : wire::connack(0, wire::receive_maximum(3))) peer.send(std::string(1, byte));
  REQUIRE(rig.relay.wait_up());
  CHECK(rig.sink.capacity() == 3);
}

TEST_CASE("mqtt: a refusal of MQTT 5 is followed by MQTT 3.1.1, from then on") {
  Rig rig{[](MqttOptions& o) { o.version = MqttVersion::automatic; }};
  for (int round = 0; round < 2; ++round) {
    rig.sink.resume();
    if (round == 0) {
      Peer first = rig.broker.accept();
      CHECK(first.connect().level == 5);
      SUBCASE("in the words of MQTT 5") { first.send(wire::connack(0x84)); }
      SUBCASE("in the words of MQTT 3.1.1") { first.send(wire::connack_311(1)); }
    }
    Peer second = rig.broker.accept();
    CHECK(second.connect().level == 4);
    second.send(wire::connack_311());
    REQUIRE(rig.relay.wait_up());
    second.close();
    REQUIRE(rig.relay.wait_down());
  }
}

TEST_CASE(
    "mqtt: a broker that hangs up on MQTT 5 is tried once with MQTT 3.1.1, and then with MQTT 5 again") {
  Rig rig{[](MqttOptions& o) { o.version = MqttVersion::automatic; }};
  for (const unsigned level : {5U, 4U, 5U, 4U}) {
    rig.sink.resume();
    Peer peer = rig.broker.accept();
    CHECK(peer.connect().level == level);
    peer.close();
    CHECK(rig.relay.wait_down());
  }
}

TEST_CASE("mqtt: a version that was set is not given up when the broker refuses it") {
  Rig rig;
  CHECK(down_after_connect(rig, [](Peer& peer) { peer.send(wire::connack(0x84)); }).verdict ==
        Verdict::blocked);
  CHECK(rig.relay.events().size() == 1);
}

TEST_CASE(
    "mqtt: a broker that cannot keep what the options ask for blocks the sink before anything is sent") {
  Rig rig{[](MqttOptions& o) { o.retain = true; }};
  SUBCASE("QoS") {
    const Receipt cause =
        down_after_connect(rig, [](Peer& peer) { peer.send(wire::connack(0, wire::maximum_qos(0))); });
    CHECK(cause.verdict == Verdict::blocked);
    CHECK(contains(cause.reason, "QoS"));
  }
  SUBCASE("retain") {
    const Receipt cause = down_after_connect(
        rig, [](Peer& peer) { peer.send(wire::connack(0, wire::retain_available(false))); });
    CHECK(cause.verdict == Verdict::blocked);
    CHECK(contains(cause.reason, "retain"));
  }
}

TEST_CASE("mqtt: the addresses of a host are tried in turn until one answers") {
  Rig rig{[](MqttOptions& o) { o.host = "broker.example"; },
          [](const std::string&) {
            return satchel::mqtt::Addresses{{"::1", "127.0.0.9", "127.0.0.1"}, 0};
          }};
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  peer.send(wire::connack());
  CHECK(rig.relay.wait_up());
}

TEST_CASE("mqtt: an address that takes the connection and gives no CONNACK does not hide the others") {
  std::chrono::milliseconds timeout = 10s;
  std::function<void(Peer&)> act = [](Peer&) {};
  SUBCASE("it stays silent") { timeout = 2s; }
  SUBCASE("it closes") {
    act = [](Peer& peer) { peer.close(); };
  }
  SUBCASE("it resets") {
    act = [](Peer& peer) { peer.abort(); };
  }
  SUBCASE("it sends something else") {
    act = [](Peer& peer) { peer.send(wire::puback(1)); };
  }
  Rig rig{[&](MqttOptions& o) {
            o.host = "broker.example";
            o.connect_timeout = timeout;
          },
          two_addresses};
  ScriptedBroker first{rig.broker.port(), 2};
  rig.sink.resume();
  Peer mute = first.accept();
  act(mute);
  REQUIRE(rig.relay.wait_down());
  // What worked stays the first.
  for (int round = 0; round < 2; ++round) {
    Peer second = rig.connect();
    second.close();
    REQUIRE(rig.relay.wait_down());
  }
  // And it is not sound for ever: behind the last address comes the first.
  rig.sink.resume();
  rig.broker.accept().close();
  REQUIRE(rig.relay.wait_down());
  rig.sink.resume();
  Peer again = first.accept();
  again.connect();
  again.send(wire::connack());
  CHECK(rig.relay.wait_up());
}

TEST_CASE(
    "mqtt: a hang-up on MQTT 5 is tried with MQTT 3.1.1 at the same address, and then at the next one") {
  Rig rig{[](MqttOptions& o) {
            o.host = "broker.example";
            o.version = MqttVersion::automatic;
          },
          two_addresses};
  ScriptedBroker first{rig.broker.port(), 2};
  for (ScriptedBroker* broker : {&first, &rig.broker, &first}) {
    for (const unsigned level : {5U, 4U}) {
      rig.sink.resume();
      Peer peer = broker->accept();
      CHECK(peer.connect().level == level);
      peer.close();
      REQUIRE(rig.relay.wait_down());
    }
  }
}

TEST_CASE("mqtt: an address that refuses in words stays the first") {
  Rig rig{[](MqttOptions& o) { o.host = "broker.example"; }, two_addresses};
  ScriptedBroker first{rig.broker.port(), 2};
  for (int round = 0; round < 2; ++round) {
    rig.sink.resume();
    Peer peer = first.accept();
    peer.connect();
    peer.send(wire::connack(0x88));
    REQUIRE(rig.relay.wait_down());
  }
}

TEST_CASE("mqtt: a name that does not resolve makes the sink go down with the resolver's words") {
  Rig rig{[](MqttOptions& o) { o.host = "broker.example"; },
          [](const std::string&) {
            return satchel::mqtt::Addresses{{}, EAI_NONAME};
          }};
  rig.sink.resume();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  CHECK(contains(cause->reason, "host name unknown"));
  CHECK(contains(cause->reason, "broker.example"));
}

TEST_CASE(
    "mqtt: a name server that never answers costs the connect timeout and no more, also when stopping") {
  auto release = std::make_shared<std::promise<void>>();
  const std::shared_future<void> released = release->get_future().share();
  auto lookups = std::make_shared<std::atomic<int>>(0);
  {
    Rig rig{[](MqttOptions& o) {
              o.host = "broker.example";
              o.connect_timeout = 150ms;
            },
            [released, lookups](const std::string&) {
              ++*lookups;
              released.wait();
              return satchel::mqtt::Addresses{{"127.0.0.1"}, 0};
            }};
    for (int tries = 0; tries < 3; ++tries) {
      rig.sink.resume();
      const auto cause = rig.relay.wait_down();
      REQUIRE(cause);
      CHECK(contains(cause->reason, "name resolution timed out"));
    }
    // One lookup hangs, not one for every try.
    CHECK(lookups->load() == 1);
    rig.sink.resume();
    const auto begin = std::chrono::steady_clock::now();
    rig.sink.stop(300ms);
    CHECK(std::chrono::steady_clock::now() - begin < 1500ms);
  }
  release->set_value();
}

TEST_CASE("mqtt: the answer of a lookup that came late serves the next try") {
  auto release = std::make_shared<std::promise<void>>();
  const std::shared_future<void> released = release->get_future().share();
  Rig rig{[](MqttOptions& o) {
            o.host = "broker.example";
            o.connect_timeout = 150ms;
          },
          [released](const std::string&) {
            released.wait();
            return satchel::mqtt::Addresses{{"127.0.0.1"}, 0};
          }};
  rig.sink.resume();
  REQUIRE(rig.relay.wait_down());
  release->set_value();
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  peer.connect();
  peer.send(wire::connack());
  CHECK(rig.relay.wait_up());
}

TEST_CASE("mqtt: resume on a connection that stands is answered at once") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.resume();
  CHECK(rig.relay.wait_up());
}

TEST_CASE("mqtt: TLS files that cannot be used block the sink") {
  satchel::MqttTls tls;
  std::string expected;
  SUBCASE("CA") {
    tls.ca_file = "/nowhere/ca.pem";
    expected = "CA certificates unusable";
  }
  SUBCASE("client certificate") {
    tls.certificate_file = "/nowhere/client.pem";
    tls.key_file = "/nowhere/client.key";
    expected = "client certificate unusable";
  }
  Rig rig{[&](MqttOptions& o) { o.tls = tls; }};
  rig.sink.resume();
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::blocked);
  CHECK(contains(cause->reason, expected));
  CHECK(contains(cause->reason, "/nowhere/"));
}

TEST_CASE(
    "mqtt: a TLS peer that breaks off, talks nonsense or says nothing makes the sink go down without a "
    "spin") {
  Rig rig{[](MqttOptions& o) {
    o.tls.emplace();
    o.connect_timeout = 400ms;
  }};
  rig.sink.resume();
  Peer peer = rig.broker.accept();
  const auto spent_before = std::clock();
  SUBCASE("closes") { peer.close(); }
  SUBCASE("resets") { peer.abort(); }
  SUBCASE("speaks plain MQTT") { peer.send(wire::connack()); }
  SUBCASE("says nothing") {}
  SUBCASE("sends half a record and nothing more") { peer.send(std::string("\x16\x03\x03\x40\x00", 5)); }
  const auto cause = rig.relay.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  const double spent = static_cast<double>(std::clock() - spent_before) / CLOCKS_PER_SEC;
  CHECK(spent < 0.2);
}
