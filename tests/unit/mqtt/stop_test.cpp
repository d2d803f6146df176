// SPDX-License-Identifier: MIT
#include "rig.hpp"

#include <csignal>

using namespace support;
using satchel::Receipt;

namespace {

/// Stops and checks that it took no longer than its time, with room for a loaded machine.
void stop_in_time(satchel::mqtt::Connection& sink, std::chrono::milliseconds timeout) {
  const auto begin = std::chrono::steady_clock::now();
  sink.stop(timeout);
  CHECK(std::chrono::steady_clock::now() - begin < timeout + 1000ms);
}

}  // namespace

TEST_CASE("mqtt: stop says good-bye to the broker") {
  Rig rig;
  Peer peer = rig.connect();
  stop_in_time(rig.sink, 5s);
  peer.disconnect();
  CHECK(peer.wait_closed());
}

TEST_CASE("mqtt: stop waits for the answers that are under way") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 1));
  const unsigned id = peer.publish().id;
  std::thread stopping{[&] { stop_in_time(rig.sink, 10s); }};
  peer.send(wire::puback(id));
  peer.disconnect();
  stopping.join();
  const auto receipts = rig.relay.wait_receipts(1);
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].verdict == Verdict::delivered);
}

TEST_CASE("mqtt: stop gives up in its time at every stage") {
  SUBCASE("never started") {
    MqttOptions options;
    satchel::mqtt::Connection sink{options};
    stop_in_time(sink, 300ms);
  }
  SUBCASE("idle") {
    Rig rig;
    stop_in_time(rig.sink, 300ms);
  }
  SUBCASE("connected over TCP, no CONNACK") {
    Rig rig;
    rig.sink.resume();
    Peer peer = rig.broker.accept();
    peer.connect();
    stop_in_time(rig.sink, 300ms);
    CHECK(peer.wait_closed());
  }
  SUBCASE("in a TLS handshake with a silent peer") {
    Rig rig{[](MqttOptions& o) { o.tls.emplace(); }};
    rig.sink.resume();
    Peer peer = rig.broker.accept();
    stop_in_time(rig.sink, 300ms);
  }
  SUBCASE("messages under way and a silent broker") {
    Rig rig;
    Peer peer = rig.connect();
    rig.sink.send(deliveries(1, 3));
    for (int i = 0; i < 3; ++i) peer.publish();
    stop_in_time(rig.sink, 300ms);
    const auto receipts = rig.relay.wait_receipts(3);
    REQUIRE(receipts.size() == 3);
    for (const Receipt& receipt : receipts) {
      CHECK(receipt.verdict == Verdict::down);
      CHECK(receipt.exposed);
    }
  }
  SUBCASE("a peer that does not read") {
    Rig rig;
    Peer peer = rig.connect();
    rig.sink.send(deliveries(1, 20, "t", std::string(1 << 20, 'x')));
    stop_in_time(rig.sink, 300ms);
    CHECK(rig.relay.wait_receipts(20).size() == 20);
  }
  SUBCASE("no time at all") {
    Rig rig;
    Peer peer = rig.connect();
    rig.sink.send(deliveries(1, 1));
    stop_in_time(rig.sink, 0ms);
  }
  SUBCASE("twice") {
    Rig rig;
    Peer peer = rig.connect();
    stop_in_time(rig.sink, 300ms);
    stop_in_time(rig.sink, 300ms);
  }
}

TEST_CASE("mqtt: after stop no event comes any more") {
  Rig rig;
  Peer peer = rig.connect();
  rig.sink.send(deliveries(1, 1));
  const unsigned id = peer.publish().id;
  rig.sink.stop(0ms);
  const std::size_t events = rig.relay.events().size();
  try {
    peer.send(wire::puback(id));
  } catch (const std::runtime_error&) {
    // The connection is gone: just as well.
  }
  rig.sink.resume();
  rig.sink.reset();
  CHECK_FALSE(rig.relay.wait_change(100ms).has_value());
  CHECK(rig.relay.events().size() == events);
}

namespace {

/// Stops the sink from inside an event, as a callback of the application may.
class StopsInside final : public satchel::SinkEvents {
 public:
  satchel::mqtt::Connection* sink = nullptr;
  SinkRecorder done;
  void receipts(std::vector<Receipt>) noexcept override {}
  void up() noexcept override {
    sink->stop(5s);
    done.up();
  }
  void down(Receipt) noexcept override {}
};

}  // namespace

TEST_CASE("mqtt: stop inside an event does not wait for itself") {
  ScriptedBroker broker;
  MqttOptions options;
  options.host = "127.0.0.1";
  options.port = broker.port();
  StopsInside relay;
  satchel::mqtt::Connection sink{options};
  relay.sink = &sink;
  sink.start(relay);
  sink.resume();
  Peer peer = broker.accept();
  peer.connect();
  const auto begin = std::chrono::steady_clock::now();
  peer.send(wire::connack());
  CHECK(relay.done.wait_up());
  CHECK(std::chrono::steady_clock::now() - begin < 4s);
  CHECK(peer.wait_closed());
}

TEST_CASE("mqtt: the process's disposition of SIGPIPE is left as it was") {
  struct sigaction before {};
  before.sa_handler = SIG_DFL;
  sigaction(SIGPIPE, &before, nullptr);
  Rig rig;
  Peer peer = rig.connect();
  peer.abort();
  rig.sink.send(deliveries(1, 10));
  REQUIRE(rig.relay.wait_down());
  struct sigaction after {};
  sigaction(SIGPIPE, nullptr, &after);
  CHECK((after.sa_handler == SIG_DFL));
}
