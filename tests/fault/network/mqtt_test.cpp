// SPDX-License-Identifier: MIT
//
// Sessions with a real broker over a link that fails at every byte.
#include "sweep.hpp"

#include "support/broker.hpp"
#include "support/certificates.hpp"
#include "support/subscriber.hpp"

#include <doctest/doctest.h>

using namespace network;
using satchel::MqttOptions;
using satchel::MqttSink;
using satchel::MqttVersion;
using support::Broker;
using support::Subscriber;

namespace {

/// A broker, and a subscriber that gets at it without the proxy.
struct Receiver {
  explicit Receiver(support::BrokerSetup setup = {}) : broker(std::move(setup)) {}

  /// All that arrived so far. The end is marked by a message of a session of its own.
  std::vector<Arrival> arrivals(const Target& target, Subscriber& subscriber, std::size_t& invented) {
    Lane clean{target, 99};
    const std::size_t last = 99'999'999;
    clean.run(last, {});
    std::vector<Arrival> found;
    for (std::size_t wanted = 1;; ++wanted) {
      const auto received = subscriber.wait(wanted);
      if (received.size() < wanted) throw std::runtime_error{"the last message did not arrive"};
      found.clear();
      invented = 0;
      std::size_t marks = 0;
      for (const support::Received& each : received) {
        const auto arrival = parse_arrival(each.payload);
        if (!arrival || each.topic != "f")
          ++invented;
        else if (arrival->session == last)
          ++marks;
        else
          found.push_back(*arrival);
      }
      if (marks >= kMessages) return found;
      wanted = received.size();
    }
  }

  Broker broker;
};

Target target_of(const std::string& name, std::uint16_t port, MqttOptions options) {
  options.host = options.tls ? "localhost" : "127.0.0.1";
  options.connect_timeout = kPatience;
  options.ack_timeout = kPatience;
  Target target;
  target.name = name;
  target.port = port;
  target.sink = [options](std::uint16_t proxy, std::size_t lane) {
    MqttOptions own = options;
    own.port = proxy;
    own.client_id = "lane-" + std::to_string(lane);
    return std::make_unique<MqttSink>(own);
  };
  return target;
}

void sweep(const Target& target, Receiver& receiver, std::uint16_t plain_port, std::size_t every,
           const std::vector<Harm>& harms, const std::string& done) {
  const auto faults = faults_for(size_of(target), harms, kBoth, every);
  Subscriber subscriber{plain_port};
  const std::vector<Session> sessions = run_sessions(target, faults);
  std::size_t invented = 0;
  const auto arrivals = receiver.arrivals(target, subscriber, invented);
  const Findings found = judge(target, sessions, arrivals, invented);
  demand_all(found);
  report("network", done, found, every);
}

MqttOptions with_version(MqttVersion version) {
  MqttOptions options;
  options.version = version;
  return options;
}

}  // namespace

TEST_CASE("network: an MQTT session survives a fault of the link at every byte, in both ways") {
  Receiver receiver;
  for (const MqttVersion version : {MqttVersion::v5, MqttVersion::v311}) {
    const std::string name = version == MqttVersion::v5 ? "MQTT 5" : "MQTT 3.1.1";
    const Target target = target_of(name, receiver.broker.port(), with_version(version));
    sweep(target, receiver, receiver.broker.port(), stride(5), without_duplicate(), name + " session");
  }
}

TEST_CASE("network: an MQTT session in TLS survives a fault of the link, in both ways") {
  support::Certificates certificates;
  const support::CertificateFiles server = certificates.server();
  const std::uint16_t plain = support::free_port();
  support::BrokerSetup setup;
  setup.tls = {certificates.ca_file(), server.certificate, server.key};
  setup.lines = {"listener " + std::to_string(plain) + " 127.0.0.1"};
  Receiver receiver{setup};
  MqttOptions options = with_version(MqttVersion::v5);
  options.tls = satchel::MqttTls{.ca_file = certificates.ca_file()};
  const Target target = target_of("MQTT 5 in TLS", receiver.broker.port(), options);
  sweep(target, receiver, plain, tls_stride(5), kHarms, "MQTT 5 session in TLS");
}

TEST_CASE("network: the sweep sees the loss when a sink takes a written message for a delivered one") {
  Receiver receiver;
  MqttOptions options = with_version(MqttVersion::v5);
  options.qos = 0;
  const Target target = target_of("control", receiver.broker.port(), options);
  const auto faults = faults_for(size_of(target), {Harm::cut, Harm::stall}, {Way::up}, 7);
  Subscriber subscriber{receiver.broker.port()};
  const std::vector<Session> sessions = run_sessions(target, faults);
  std::size_t invented = 0;
  const auto arrivals = receiver.arrivals(target, subscriber, invented);
  const Findings found = judge(target, sessions, arrivals, invented);
  CHECK(found.lost > 0);
  CHECK(found.invented == 0);
  report("network", "control that must lose: MQTT at QoS 0", found, 7);
}
TEST_CASE("network: bytes that come twice over a plain MQTT link end in receipts all the same") {
  // Nothing in MQTT tells the broker that bytes came twice: what it makes of a message is beyond anybody, and
  // only TLS can help. But the session goes on.
  Receiver receiver;
  const Target target = target_of("MQTT 5 twice", receiver.broker.port(), with_version(MqttVersion::v5));
  const std::size_t every = stride(5);
  const auto up = run_sessions(target, faults_for(size_of(target), {Harm::duplicate}, {Way::up}, every));
  const Findings found = judge_senders(target, up);
  CHECK(found.unsettled == 0);
  CHECK(found.hung == 0);
  report_senders("network", "MQTT 5 session, bytes that come twice at the broker: receipts only", found,
                 every);

  const auto down = faults_for(size_of(target), {Harm::duplicate}, {Way::down}, 1);
  Subscriber subscriber{receiver.broker.port()};
  const std::vector<Session> sessions = run_sessions(target, down);
  std::size_t invented = 0;
  const auto arrivals = receiver.arrivals(target, subscriber, invented);
  const Findings answers = judge(target, sessions, arrivals, invented);
  demand_all(answers);
  report("network", "MQTT 5 session, bytes that come twice at the device", answers, 1);
}
