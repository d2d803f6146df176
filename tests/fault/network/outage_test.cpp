// SPDX-License-Identifier: MIT
//
// Servers that are away, hang, or die: nothing is lost, nothing is blamed, and all is well as soon as they
// are back.
#include "sweep.hpp"

#include "support/broker.hpp"
#include "support/certificates.hpp"
#include "support/nginx.hpp"
#include "support/scripted_broker.hpp"
#include "support/subscriber.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace network;
using satchel::HttpOptions;
using satchel::HttpSink;
using satchel::MqttOptions;
using satchel::MqttSink;
using satchel::MqttVersion;
using support::Broker;
using support::Nginx;
using support::Subscriber;

namespace {

MqttOptions mqtt_options(std::uint16_t port, MqttVersion version = MqttVersion::v5) {
  MqttOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  options.version = version;
  options.connect_timeout = kPatience;
  options.ack_timeout = kPatience;
  return options;
}

HttpOptions http_options(std::uint16_t port) {
  HttpOptions options;
  options.url = "http://127.0.0.1:" + std::to_string(port) + "/log/f";
  options.connect_timeout = kPatience;
  options.request_timeout = kPatience;
  return options;
}

/// The figures of all cases, printed when the program ends.
struct Totals {
  std::size_t devices = 0;
  std::size_t downs = 0;
  std::size_t delivered = 0;
  std::size_t dead = 0;
  std::size_t attempts = 0;
  ~Totals() {
    std::cout << "REPORT network | servers away, hanging, refusing, dying on one message | outboxes="
              << devices << ", outages_seen=" << downs << ", delivered=" << delivered
              << ", dead_letters=" << dead << ", attempts_counted_without_a_cause=" << attempts << std::endl;
  }
} totals;

/// An outbox with a sink of a test's choice.
struct Device {
  static satchel::Options options(std::shared_ptr<Witness> witness) {
    satchel::Options options = brisk_options(std::move(witness));
    // Each attempt of a message that breaks connections costs a second, in which the link is watched without
    // it.
    options.max_attempts = 2;
    return options;
  }
  explicit Device(std::unique_ptr<satchel::Sink> sink)
      : witness(std::make_shared<Witness>()),
        directory(support::TempDir::Where::memory),
        outbox(directory.path() + "/device.db", options(witness)) {
    outbox.attach(std::move(sink));
    outbox.start();
  }
  ~Device() {
    ++totals.devices;
    totals.downs += witness->downs();
    totals.delivered += witness->delivered();
    totals.dead += witness->dead();
    if (witness->dead() == 0) totals.attempts += witness->attempts();
  }
  void enqueue(std::size_t session) {
    auto tx = outbox.begin();
    for (std::size_t i = 0; i < kMessages; ++i)
      tx.enqueue({.topic = "f", .payload = payload_of(session, i), .key = key_of(i)});
    tx.commit();
  }
  void check_clean(std::size_t sessions) {
    REQUIRE(witness->wait_settled(sessions * kMessages));
    CHECK(witness->delivered() == sessions * kMessages);
    CHECK(witness->dead() == 0);
    CHECK(witness->attempts() == 0);
    CHECK(outbox.stop(std::chrono::seconds{10}));
    CHECK(outbox.status().pending == 0);
  }
  std::shared_ptr<Witness> witness;
  support::TempDir directory;
  satchel::Outbox outbox;
};

/// Every message of so many sessions is among these payloads.
void check_all(const std::vector<std::string>& payloads, std::size_t sessions) {
  const std::set<std::string> seen{payloads.begin(), payloads.end()};
  for (std::size_t session = 0; session < sessions; ++session) {
    for (std::size_t i = 0; i < kMessages; ++i) CHECK(seen.count(payload_of(session, i)) == 1);
  }
}

std::vector<std::string> bodies(const Nginx& nginx, std::size_t at_least) {
  std::vector<std::string> found;
  const std::string mark = "\"body\":\"";
  for (const std::string& line : nginx.log(at_least)) {
    if (line.find("\"status\":\"204\"") == std::string::npos) continue;
    const std::size_t begin = line.find(mark) + mark.size();
    found.push_back(line.substr(begin, line.find('"', begin) - begin));
  }
  return found;
}

}  // namespace

TEST_CASE("network: a peer that accepts and never answers costs no attempt, and messages flow when it does") {
  Broker broker;
  Nginx nginx;
  Subscriber subscriber{broker.port()};
  for (const bool mqtt : {true, false}) {
    CAPTURE(mqtt);
    FlakyProxy proxy{mqtt ? broker.port() : nginx.port()};
    proxy.swallow(true);
    std::unique_ptr<satchel::Sink> sink;
    if (mqtt)
      sink = std::make_unique<MqttSink>(mqtt_options(proxy.port()));
    else
      sink = std::make_unique<HttpSink>(http_options(proxy.port()));
    Device device{std::move(sink)};
    device.enqueue(0);
    REQUIRE(device.witness->wait_down(4));
    CHECK(device.witness->delivered() == 0);
    proxy.swallow(false);
    device.check_clean(1);
  }
  std::vector<std::string> arrived;
  for (const auto& each : subscriber.wait(kMessages)) arrived.push_back(each.payload);
  check_all(arrived, 1);
  check_all(bodies(nginx, kMessages), 1);
}

TEST_CASE("network: a server that refuses connections costs no attempt, and gets all when it is back") {
  Nginx nginx;
  nginx.kill();
  Device device{std::make_unique<HttpSink>(http_options(nginx.port()))};
  device.enqueue(0);
  REQUIRE(device.witness->wait_down(20));
  device.enqueue(1);
  nginx.start();
  device.check_clean(2);
  check_all(bodies(nginx, 2 * kMessages), 2);
}

TEST_CASE("network: where connections are not even accepted, sinks stop in time and keep the messages") {
  // The queue of the listening socket is full: the kernel drops the next SYN.
  const support::Descriptor listener = support::bound_socket(0);
  const std::uint16_t port = support::port_of(listener.get());
  std::array<support::Descriptor, 4> waiting;
  for (support::Descriptor& each : waiting) {
    each.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_in address = support::loopback_address(port);
    static_cast<void>(::connect(each.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }
  for (const bool mqtt : {true, false}) {
    CAPTURE(mqtt);
    std::unique_ptr<satchel::Sink> sink;
    if (mqtt)
      sink = std::make_unique<MqttSink>(mqtt_options(port));
    else
      sink = std::make_unique<HttpSink>(http_options(port));
    Device device{std::move(sink)};
    device.enqueue(0);
    REQUIRE(device.witness->wait_down(3));
    const auto begin = std::chrono::steady_clock::now();
    device.outbox.stop(std::chrono::seconds{1});
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{3});
    CHECK(device.outbox.status().pending == kMessages);
    CHECK(device.witness->attempts() == 0);
    CHECK(device.witness->dead() == 0);
  }
}

TEST_CASE(
    "network: connections that became black holes while they were open are left behind after one timeout") {
  Broker broker;
  support::Certificates certificates;
  const support::CertificateFiles server = certificates.server();
  Nginx nginx{{{server.certificate, server.key, "", true}}};
  Subscriber subscriber{broker.port()};
  for (const std::string kind : {"MQTT", "HTTP/1.1", "HTTP/2"}) {
    CAPTURE(kind);
    const std::uint16_t port = kind == "MQTT"     ? broker.port()
                               : kind == "HTTP/2" ? nginx.tls_port()
                                                  : nginx.port();
    FlakyProxy proxy{port};
    std::unique_ptr<satchel::Sink> sink;
    if (kind == "MQTT") {
      sink = std::make_unique<MqttSink>(mqtt_options(proxy.port()));
    } else {
      HttpOptions options = http_options(proxy.port());
      options.parallel = 4;
      if (kind == "HTTP/2") {
        options.url = "https://localhost:" + std::to_string(proxy.port()) + "/log/f";
        options.version = satchel::HttpVersion::v2;
        options.tls.ca_file = certificates.ca_file();
      }
      sink = std::make_unique<HttpSink>(options);
    }
    Device device{std::move(sink)};
    constexpr std::size_t kRounds = 5;
    for (std::size_t round = 0; round < kRounds; ++round) {
      device.enqueue(round);
      REQUIRE(device.witness->wait_settled((round + 1) * kMessages));
      // At most one for the requests that were under way, and one for a probe that took another dead
      // connection.
      CHECK(device.witness->downs() <= 2 * round);
      proxy.stall_all();
    }
    device.check_clean(kRounds);
  }
}

TEST_CASE(
    "network: of a window, only the message on which an MQTT 3.1.1 broker hangs up becomes a dead letter") {
  support::ScriptedBroker scripted;
  std::atomic<bool> over{false};
  std::vector<std::string> arrived;
  std::thread broker{[&] {
    while (!over) {
      try {
        support::Peer peer = scripted.accept(std::chrono::milliseconds{100});
        peer.connect();
        peer.send(support::wire::connack_311());
        while (const auto packet = peer.packet()) {
          if (packet->type == 14) break;
          if (packet->type != 3) continue;
          const support::WirePublish message{*packet, false};
          if (message.payload == "poison") break;
          arrived.push_back(message.payload);
          peer.send(support::wire::puback(message.id));
        }
      } catch (const std::runtime_error&) {
        // Nobody came, or the other end hung up.
      }
    }
  }};
  {
    Device device{std::make_unique<MqttSink>(mqtt_options(scripted.port(), MqttVersion::v311))};
    auto tx = device.outbox.begin();
    for (std::size_t i = 0; i < kMessages; ++i) tx.enqueue({.topic = "f", .payload = payload_of(0, i)});
    const satchel::MessageId poison = tx.enqueue({.topic = "f", .payload = "poison"});
    for (std::size_t i = 0; i < kMessages; ++i) tx.enqueue({.topic = "f", .payload = payload_of(1, i)});
    tx.commit();
    REQUIRE(device.witness->wait_settled(2 * kMessages + 1));
    CHECK(device.witness->delivered() == 2 * kMessages);
    const auto dead = device.outbox.dead_letters();
    REQUIRE(dead.size() == 1);
    CHECK(dead[0].id == poison);
    CHECK(device.outbox.stop(std::chrono::seconds{5}));
  }
  over = true;
  broker.join();
  check_all(arrived, 2);
}
