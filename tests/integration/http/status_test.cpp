// SPDX-License-Identifier: MIT
#include "harness.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <set>

using namespace satchel;
using namespace support;
using satchel::testing::ManualClock;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

HttpReply reply_by_topic(const HttpRequest& request) {
  return HttpReply::of(std::stoi(request.target.substr(1)), {}, "");
}

// Posts one message to a server that gives this one answer.
Receipt answered(HttpReply reply, HttpOptions options = {}) {
  ScriptedHttp server{[&](const HttpRequest&) { return reply; }};
  options.url = server.url();
  Harness harness{std::move(options)};
  return harness.post(1);
}

}  // namespace

TEST_CASE("http: every status has the verdict of the table") {
  ScriptedHttp server{reply_by_topic};
  auto options = options_for(server.url("/{topic}"));
  options.parallel = 1;
  Harness harness{options};
  std::uint64_t claim = 0;
  for (int status = 200; status <= 599; ++status) {
    const auto& row = verdicts::find(verdicts::Source::http_status, status);
    const Receipt receipt = harness.post(delivery(++claim, std::to_string(status)));
    CAPTURE(status);
    CHECK(receipt.verdict == row.verdict);
    const bool told = receipt.reason.find("HTTP status " + std::to_string(status)) != std::string::npos;
    CHECK(told == (row.verdict != Verdict::delivered));
  }
}

TEST_CASE("http: a redirect is not followed") {
  ScriptedHttp elsewhere{[](const HttpRequest&) { return HttpReply::of(200); }};
  for (const int status : {301, 302, 303, 307, 308}) {
    CAPTURE(status);
    const Receipt receipt = answered(HttpReply::of(status, "Location: " + elsewhere.url() + "\r\n"));
    CHECK(receipt.verdict == Verdict::blocked);
    CHECK(contains(receipt.reason, "redirects are not followed"));
  }
  CHECK(elsewhere.connections() == 0);
}

TEST_CASE("http: the server's words about a rejected message are told, a browser's page is not") {
  CHECK(contains(answered(HttpReply::of(422, {}, "celsius is missing\r\n")).reason, "(celsius is missing"));
  CHECK_FALSE(contains(answered(HttpReply::of(422, {}, "<html>celsius</html>")).reason, "celsius"));
}

TEST_CASE("http: a server that repeats the token does not bring it into the reason") {
  ScriptedHttp server{[](const HttpRequest& request) {
    return HttpReply::of(400, {}, "you sent " + request.header("authorization"));
  }};
  auto options = options_for(server.url());
  options.credentials = [] { return HttpCredentials{.bearer_token = "s3cret-token"}; };
  Harness harness{options};
  const Receipt receipt = harness.post(1);
  CHECK(server.requests().at(0).header("authorization") == "Bearer s3cret-token");
  CHECK(receipt.verdict == Verdict::reject);
  CHECK_FALSE(contains(receipt.reason, "s3cret"));
}

TEST_CASE("http: nor does one that repeats a password, or a header that is a secret") {
  std::string field;
  ScriptedHttp server{[&](const HttpRequest& request) {
    return HttpReply::of(400, {}, "you sent " + request.header(field));
  }};
  auto options = options_for(server.url());
  SUBCASE("of the options") {
    field = "x-api-key";
    options.secret_headers = {{"X-Api-Key", {}, "s3cret-key"}};
  }
  SUBCASE("behind the name of a scheme") {
    field = "x-auth";
    options.secret_headers = {{"X-Auth", {}, " Token s3cret-key "}};
  }
  SUBCASE("in base64") {
    field = "authorization";
    options.username = "device";
    options.password = "s3cret-password";
  }
  Harness harness{options};
  const Receipt receipt = harness.post(1);
  REQUIRE_FALSE(server.requests().at(0).header(field).empty());
  CHECK(receipt.verdict == Verdict::reject);
  CHECK_FALSE(contains(receipt.reason, "you sent"));
}

TEST_CASE("http: nor one that decodes the password first, and without a secret its words are told") {
  ScriptedHttp server{
      [](const HttpRequest&) { return HttpReply::of(400, {}, "device:s3cret-password is not known"); }};
  auto options = options_for(server.url());
  options.username = "device";
  SUBCASE("the password") {
    options.password = "s3cret-password";
    CHECK_FALSE(contains(Harness{options}.post(1).reason, "s3cret"));
  }
  SUBCASE("none") { CHECK(contains(Harness{options}.post(1).reason, "is not known")); }
}

TEST_CASE("http: only a gateway that lost its server may have passed the message on") {
  for (const int status : {502, 504, 530}) {
    CAPTURE(status);
    const Receipt receipt = answered(HttpReply::of(status));
    CHECK(receipt.verdict == Verdict::down);
    CHECK(receipt.exposed);
  }
  for (const int status : {429, 503}) {
    CAPTURE(status);
    CHECK_FALSE(answered(HttpReply::of(status)).exposed);
  }
}

TEST_CASE("http: Retry-After in seconds is passed on with the pause of the route") {
  const Receipt receipt = answered(HttpReply::of(503, "Retry-After: 17\r\n"));
  CHECK(receipt.verdict == Verdict::down);
  CHECK(receipt.after == seconds{17});
  CHECK(answered(HttpReply::of(429, "Retry-After: 3\r\n")).after == seconds{3});
}

TEST_CASE(
    "http: Retry-After as a date counts from the response's own date, whatever the device's clock shows") {
  const auto clock = std::make_shared<ManualClock>();
  clock->set_wall(WallTime{}, false);
  HttpOptions options;
  options.clock = clock;
  const HttpReply reply = HttpReply::of(503,
                                        "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
                                        "Retry-After: Mon, 23 Nov 2026 12:02:00 GMT\r\n");
  CHECK(answered(reply, options).after == seconds{120});
}

TEST_CASE("http: Retry-After as a date without Date needs a trusted clock") {
  const auto clock = std::make_shared<ManualClock>();
  HttpOptions options;
  options.clock = clock;
  const HttpReply reply = HttpReply::of(503, "Retry-After: Mon, 23 Nov 2026 12:02:00 GMT\r\n");
  // 2026-11-23 12:00:00 UTC.
  const WallTime noon{seconds{1'795'435'200}};
  clock->set_wall(noon, false);
  CHECK(answered(reply, options).after == seconds{0});
  clock->set_wall(noon, true);
  CHECK(answered(reply, options).after == seconds{120});
}

TEST_CASE("http: Retry-After is capped, and nonsense in it is ignored") {
  HttpOptions options;
  options.max_retry_after = seconds{60};
  CHECK(answered(HttpReply::of(503, "Retry-After: 99999999999999999999\r\n"), options).after == seconds{60});
  CHECK(answered(HttpReply::of(503, "Retry-After: soon\r\n"), options).after == seconds{0});
  CHECK(answered(HttpReply::of(503, "Retry-After: -5\r\n"), options).after == seconds{0});
}

TEST_CASE("http: a refused credential is told together with a clock that is off") {
  const auto clock = std::make_shared<ManualClock>();
  clock->set_wall(WallTime{seconds{1'795'435'200 - 7200}}, true);
  HttpOptions options;
  options.clock = clock;
  const Receipt receipt = answered(HttpReply::of(401, "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"), options);
  CHECK(receipt.verdict == Verdict::blocked);
  CHECK(contains(receipt.reason, "the device's clock is 7200 s behind the server's"));
}

TEST_CASE("http: a misdirected request goes out on a new connection the next time") {
  ScriptedHttp server{
      [](const HttpRequest& request) { return HttpReply::of(request.connection == 0 ? 421 : 200); }};
  Harness harness{options_for(server.url())};
  CHECK(harness.post(1).verdict == Verdict::retry);
  CHECK(harness.post(2).verdict == Verdict::delivered);
  CHECK(server.connections() == 2);
}

TEST_CASE("http: connections are kept alive and never more than allowed") {
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(204); }};
  auto options = options_for(server.url());
  options.parallel = 3;
  Harness harness{options};
  harness.send(deliveries(1, 300));
  for (const Receipt& receipt : harness.recorder.wait_receipts(300))
    CHECK(receipt.verdict == Verdict::delivered);
  CHECK(server.connections() <= 3);
}
