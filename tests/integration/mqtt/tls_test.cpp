// SPDX-License-Identifier: MIT
#include "rig.hpp"

#include "sinks/mqtt/client.hpp"
#include "sinks/mqtt/connection.hpp"
#include "support/certificates.hpp"
#include "support/subscriber.hpp"

#include <mqtt_protocol.h>
#include <poll.h>

using namespace support;

namespace {

Broker tls_broker(const Certificates& certificates, const CertificateFiles& files,
                  bool require_certificate = false, const std::string& version = {}) {
  BrokerSetup setup;
  setup.tls =
      BrokerSetup::Tls{certificates.ca_file(), files.certificate, files.key, require_certificate, version};
  return Broker{setup};
}

MqttOptions tls_options(const Broker& broker, const std::string& ca_file) {
  MqttOptions options = options_for(broker.port());
  options.tls.emplace().ca_file = ca_file;
  return options;
}

}  // namespace

TEST_CASE("mqtt: messages go through TLS to a broker that the CA vouches for, by name and by address") {
  Certificates certificates;
  for (const std::string version : {"tlsv1.2", "tlsv1.3"}) {
    const Broker broker = tls_broker(certificates, certificates.server(), false, version);
    for (const std::string host : {"localhost", "127.0.0.1"}) {
      CAPTURE(host);
      MqttOptions options = tls_options(broker, certificates.ca_file());
      options.host = host;
      Session session{options};
      REQUIRE(session.up());
      session.sink.send(deliveries(1, 200, "t", std::string(5000, 'x')));
      const auto receipts = session.relay.wait_receipts(200);
      REQUIRE(receipts.size() == 200);
      for (const auto& receipt : receipts) CHECK(receipt.verdict == Verdict::delivered);
    }
  }
}

TEST_CASE("mqtt: a certificate that cannot be trusted blocks the sink, and the reason tells why") {
  Certificates certificates;
  CertificateFiles files;
  std::string ca_file = certificates.ca_file();
  std::string expected;
  Verdict verdict = Verdict::blocked;
  SUBCASE("wrong name") {
    files = certificates.wrong_name();
    expected = "certificate for another name";
  }
  SUBCASE("expired") {
    files = certificates.expired();
    expected = "certificate expired";
  }
  SUBCASE("self-signed") {
    files = certificates.self_signed();
    expected = "self-signed certificate";
  }
  SUBCASE("unknown CA") {
    files = certificates.server();
    ca_file = certificates.other_ca_file();
    expected = "certificate from an unknown authority";
  }
  SUBCASE("not yet valid: a device whose clock is not set yet") {
    files = certificates.not_yet_valid();
    expected = "certificate not yet valid";
    verdict = Verdict::down;
  }
  const Broker broker = tls_broker(certificates, files);
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    CAPTURE(host);
    MqttOptions options = tls_options(broker, ca_file);
    options.host = host;
    Session session{options};
    const auto cause = session.down();
    REQUIRE(cause);
    CAPTURE(cause->reason);
    CHECK(cause->verdict == verdict);
    CHECK(contains(cause->reason, expected));
  }
}

TEST_CASE("mqtt: the system's CA certificates do not know a private CA") {
  Certificates certificates;
  const Broker broker = tls_broker(certificates, certificates.server());
  Session session{tls_options(broker, "")};
  const auto cause = session.down();
  REQUIRE(cause);
  CAPTURE(cause->reason);
  CHECK(cause->verdict == Verdict::blocked);
  CHECK(contains(cause->reason, "unknown authority"));
}

TEST_CASE("mqtt: wildcards match one label below a domain, and never a whole top-level domain") {
  Certificates certificates;
  const auto try_host = [&](const std::string& names, const std::string& host) {
    const Broker broker = tls_broker(certificates, certificates.named(names));
    MqttOptions options = tls_options(broker, certificates.ca_file());
    options.host = host;
    SinkRecorder relay;
    satchel::mqtt::Connection sink{options, [](const std::string&) {
                                     return satchel::mqtt::Addresses{{"127.0.0.1"}, 0};
                                   }};
    sink.start(relay);
    sink.resume();
    const bool up = relay.wait_up();
    sink.stop(2s);
    return up;
  };
  CHECK(try_host("DNS:*.example.com", "broker.example.com"));
  CHECK_FALSE(try_host("DNS:*.example.com", "a.broker.example.com"));
  CHECK_FALSE(try_host("DNS:*.com", "broker.com"));
  CHECK_FALSE(try_host("DNS:b*.example.com", "broker.example.com"));
}

TEST_CASE("mqtt: a client certificate opens a broker that demands one") {
  Certificates certificates;
  for (const std::string version : {"tlsv1.2", "tlsv1.3"}) {
    CAPTURE(version);
    const Broker broker = tls_broker(certificates, certificates.server(), true, version);
    MqttOptions options = tls_options(broker, certificates.ca_file());
    {
      Session without{options};
      const auto cause = without.down();
      REQUIRE(cause);
      CAPTURE(cause->reason);
      CHECK(cause->verdict == Verdict::blocked);
      CHECK(contains(cause->reason, "client certificate"));
    }
    {
      const CertificateFiles foreign = certificates.client_of_other_authority();
      options.tls->certificate_file = foreign.certificate;
      options.tls->key_file = foreign.key;
      Session wrong{options};
      const auto cause = wrong.down();
      REQUIRE(cause);
      CAPTURE(cause->reason);
      CHECK(cause->verdict == Verdict::blocked);
      CHECK(contains(cause->reason, "client certificate"));
    }
    const CertificateFiles own = certificates.client();
    options.tls->certificate_file = own.certificate;
    options.tls->key_file = own.key;
    Session right{options};
    CHECK(right.up());
  }
}

TEST_CASE("mqtt: why a broker refuses the device is read even when writing to it has failed before") {
  Certificates certificates;
  const Broker broker = tls_broker(certificates, certificates.server(), true, "tlsv1.3");
  const MqttOptions options = tls_options(broker, certificates.ca_file());
  satchel::mqtt::Client client{options, {"device", "", ""}, MQTT_PROTOCOL_V5};
  REQUIRE(client.connect("127.0.0.1", options.port, 60s) <= MOSQ_ERR_SUCCESS);
  const auto wait = [&client](short events) {
    pollfd entry{client.socket(), events, 0};
    return ::poll(&entry, 1, 20'000) == 1 ? entry.revents : 0;
  };
  // For the device the handshake of TLS 1.3 ends before the broker has looked at its certificate.
  REQUIRE((wait(POLLOUT) & POLLOUT) != 0);
  while (!client.wants_write()) {
    REQUIRE((wait(POLLIN) & POLLIN) != 0);
    REQUIRE(client.read() == MOSQ_ERR_SUCCESS);
  }
  REQUIRE((wait(0) & POLLHUP) != 0);
  CHECK(client.write() != MOSQ_ERR_SUCCESS);
  const auto cause = client.tls().receipt();
  REQUIRE(cause);
  CAPTURE(cause->reason);
  CHECK(contains(cause->reason, "client certificate"));
}

TEST_CASE("mqtt: a key that does not belong to the certificate blocks the sink") {
  Certificates certificates;
  const Broker broker = tls_broker(certificates, certificates.server());
  MqttOptions options = tls_options(broker, certificates.ca_file());
  options.tls->certificate_file = certificates.client().certificate;
  options.tls->key_file = certificates.client().key;
  Session session{options};
  const auto cause = session.down();
  REQUIRE(cause);
  CAPTURE(cause->reason);
  CHECK(cause->verdict == Verdict::blocked);
  CHECK(contains(cause->reason, "client certificate unusable"));
}

TEST_CASE("mqtt: a port that does not speak TLS makes the sink go down") {
  Broker broker;
  Session session{tls_options(broker, "")};
  const auto cause = session.down();
  REQUIRE(cause);
  CAPTURE(cause->reason);
  CHECK(cause->verdict == Verdict::down);
}

TEST_CASE("mqtt: a TLS broker that is killed and restarted is found again, without a spin in between") {
  Certificates certificates;
  BrokerSetup setup;
  const CertificateFiles files = certificates.server();
  setup.tls = BrokerSetup::Tls{certificates.ca_file(), files.certificate, files.key};
  Broker broker{setup};
  Session session{tls_options(broker, certificates.ca_file())};
  REQUIRE(session.up());
  broker.kill();
  REQUIRE(session.relay.wait_down());
  const auto spent_before = std::clock();
  for (int tries = 0; tries < 20; ++tries) REQUIRE(session.down());
  CHECK(static_cast<double>(std::clock() - spent_before) / CLOCKS_PER_SEC < 1.0);
  broker.restart();
  REQUIRE(session.up());
  session.sink.send(deliveries(1, 10));
  CHECK(session.relay.wait_receipts(10).size() == 10);
}
