// SPDX-License-Identifier: MIT
#include "harness.hpp"
#include "support/certificates.hpp"
#include "support/nginx.hpp"

#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>

using namespace satchel;
using namespace support;
using satchel::testing::ManualClock;
using std::chrono::seconds;

namespace {

// Every server of these tests, started once: nginx is quick, keys are not.
struct Servers {
  Certificates certificates;
  CertificateFiles good = certificates.server();
  CertificateFiles wrong_name = certificates.wrong_name();
  CertificateFiles expired = certificates.expired();
  CertificateFiles not_yet_valid = certificates.not_yet_valid();
  CertificateFiles self_signed = certificates.self_signed();
  CertificateFiles client = certificates.client();
  CertificateFiles stranger = certificates.client_of_other_authority();
  Nginx nginx{{{good.certificate, good.key, "", false},
               {good.certificate, good.key, "", true},
               {good.certificate, good.key, certificates.ca_file(), false},
               {wrong_name.certificate, wrong_name.key},
               {expired.certificate, expired.key},
               {not_yet_valid.certificate, not_yet_valid.key},
               {self_signed.certificate, self_signed.key}}};
};
enum Server : std::size_t { kPlain, kHttp2, kClients, kWrongName, kExpired, kNotYetValid, kSelfSigned };

Servers& servers() {
  static Servers started;
  return started;
}

HttpOptions options_to(Server server) {
  auto options = options_for(servers().nginx.tls_url("/log/{topic}", server));
  options.tls.ca_file = servers().certificates.ca_file();
  return options;
}

Receipt post_once(HttpOptions options) {
  Harness harness{std::move(options)};
  return harness.post(1);
}

void check_blocked(HttpOptions options, const std::string& reason) {
  const Receipt receipt = post_once(std::move(options));
  CAPTURE(receipt.reason);
  CHECK(receipt.verdict == Verdict::blocked);
  CHECK(contains(receipt.reason, reason));
  CHECK_FALSE(receipt.exposed);
}

}  // namespace

TEST_CASE("http: TLS with a private CA delivers, over HTTP/2 where the server offers it") {
  const std::size_t before = servers().nginx.log().size();
  CHECK(post_once(options_to(kPlain)).verdict == Verdict::delivered);
  CHECK(post_once(options_to(kHttp2)).verdict == Verdict::delivered);
  auto held_back = options_to(kHttp2);
  held_back.version = HttpVersion::v1;
  CHECK(post_once(held_back).verdict == Verdict::delivered);
  const auto log = servers().nginx.log(before + 3);
  CHECK(contains(log[before], "\"protocol\":\"HTTP/1.1\""));
  CHECK(contains(log[before + 1], "\"protocol\":\"HTTP/2.0\""));
  CHECK(contains(log[before + 2], "\"protocol\":\"HTTP/1.1\""));
}

TEST_CASE("http: a thousand messages go over one HTTP/2 connection") {
  const std::size_t before = servers().nginx.log().size();
  auto options = options_to(kHttp2);
  options.parallel = 16;
  Harness harness{options};
  harness.send(deliveries(1, 1000));
  for (const Receipt& receipt : harness.recorder.wait_receipts(1000))
    REQUIRE(receipt.verdict == Verdict::delivered);
  const auto log = servers().nginx.log(before + 1000);
  for (std::size_t line = before; line < log.size(); ++line) REQUIRE(contains(log[line], "HTTP/2.0"));
}

TEST_CASE("http: a client certificate opens the door that is closed without one") {
  auto options = options_to(kClients);
  options.tls.certificate_file = servers().client.certificate;
  options.tls.key_file = servers().client.key;
  const std::size_t before = servers().nginx.log().size();
  CHECK(post_once(options).verdict == Verdict::delivered);
  CHECK(contains(servers().nginx.log(before + 1).back(), "\"client\":\"CN=client"));

  check_blocked(options_to(kClients), "client certificate refused");
  options.tls.certificate_file = servers().stranger.certificate;
  options.tls.key_file = servers().stranger.key;
  check_blocked(options, "client certificate refused");
}

TEST_CASE("http: a client certificate that cannot be used is blocked and names the cause") {
  auto options = options_to(kClients);
  options.tls.certificate_file = servers().client.certificate;
  options.tls.key_file = servers().stranger.key;
  check_blocked(options, "client certificate unusable");
  options.tls.key_file = "/does/not/exist.pem";
  check_blocked(options, "client certificate unusable");
}

TEST_CASE("http: a certificate for another name is blocked") {
  check_blocked(options_to(kWrongName), "certificate for another name");
}

TEST_CASE("http: an expired certificate is blocked") {
  check_blocked(options_to(kExpired), "certificate expired");
}

TEST_CASE("http: a self-signed certificate is blocked") {
  check_blocked(options_to(kSelfSigned), "self-signed certificate");
}

TEST_CASE("http: a certificate from an unknown authority is blocked") {
  auto options = options_to(kPlain);
  options.tls.ca_file = servers().certificates.other_ca_file();
  check_blocked(options, "certificate from an unknown authority");
}

TEST_CASE("http: without a CA file the system's authorities decide, and they do not know a private one") {
  auto options = options_to(kPlain);
  options.tls.ca_file.clear();
  check_blocked(options, "certificate from an unknown authority");
}

TEST_CASE("http: a CA file that is missing is blocked") {
  auto options = options_to(kPlain);
  options.tls.ca_file = "/does/not/exist.pem";
  check_blocked(options, "CA certificates unusable");
}

TEST_CASE("http: while the clock is not trusted, a certificate's dates are no alarm") {
  const auto clock = std::make_shared<ManualClock>();
  for (const Server server : {kExpired, kNotYetValid}) {
    auto options = options_to(server);
    options.clock = clock;
    const Receipt receipt = post_once(options);
    CAPTURE(receipt.reason);
    CHECK(receipt.verdict == Verdict::down);
  }
}

TEST_CASE("http: plain text to a TLS port is blocked, TLS to a plain port is not delivered") {
  auto plain =
      options_for("http://localhost:" + std::to_string(servers().nginx.tls_port(kPlain)) + "/log/{topic}");
  check_blocked(plain, "https://");
  auto encrypted = options_to(kPlain);
  encrypted.url = "https://localhost:" + std::to_string(servers().nginx.port()) + "/log/{topic}";
  const Receipt receipt = post_once(encrypted);
  CAPTURE(receipt.reason);
  CHECK(receipt.verdict == Verdict::down);
  CHECK_FALSE(receipt.exposed);
}

TEST_CASE("http: a server that only speaks TLS 1.1 is blocked") {
  // No server of Debian offers 1.1 any more: an alert says what one would say.
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); },
                      [](std::size_t) {
                        return std::optional{HttpReply::text(std::string("\x15\x03\x02\x00\x02\x02\x46", 7))};
                      }};
  auto options = options_for("https://localhost:" + std::to_string(server.port()) + "/");
  options.tls.ca_file = servers().certificates.ca_file();
  check_blocked(options, "no common TLS version");
}
