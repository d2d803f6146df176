// SPDX-License-Identifier: MIT
#include "harness.hpp"

#include "support/inherited.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <set>

using namespace satchel;
using namespace support;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

// A server that misbehaves, and what the sink is to make of it.
struct Fault {
  std::string what;
  HttpReply reply;
  Verdict verdict;
  std::string reason;
};

HttpOptions impatient(const std::string& url) {
  auto options = options_for(url);
  options.request_timeout = milliseconds{400};
  options.connect_timeout = milliseconds{300};
  return options;
}

HttpReply hang(std::string bytes = {}) {
  HttpReply reply;
  reply.bytes = std::move(bytes);
  reply.hang = true;
  return reply;
}

HttpReply endless(std::string bytes, std::string more) {
  HttpReply reply;
  reply.bytes = std::move(bytes);
  reply.endless = std::move(more);
  return reply;
}

HttpReply dripping(std::string bytes) {
  HttpReply reply;
  reply.drip = std::move(bytes);
  return reply;
}

HttpReply reset() {
  HttpReply reply;
  reply.reset = true;
  return reply;
}

std::vector<Fault> faults() {
  const std::string long_head = "HTTP/1.1 200 OK\r\n" + std::string(200, 'X') + ": " + std::string(200, 'y');
  return {
      {"closes without an answer", HttpReply::text(""), Verdict::down, "connection closed"},
      {"resets the connection", reset(), Verdict::down, "connection broken"},
      {"closes within the status line", HttpReply::text("HTTP/1.1 20"), Verdict::down, "connection closed"},
      {"closes within the headers", HttpReply::text("HTTP/1.1 200 OK\r\nServer: x\r\n"), Verdict::down, ""},
      {"speaks another protocol", HttpReply::text("SSH-2.0-OpenSSH_9.2\r\n"), Verdict::down,
       "protocol error"},
      {"sends binary garbage", HttpReply::text(std::string("\x15\x03\x01\x00\x02\x02\x16", 7)), Verdict::down,
       "protocol error"},
      {"sends a status that is no number", HttpReply::text("HTTP/1.1 abc OK\r\n\r\n"), Verdict::down,
       "protocol error"},
      {"never ends its headers", endless("HTTP/1.1 200 OK\r\n", "X-More: and more\r\n"), Verdict::down,
       "answer too large"},
      {"never ends one header", endless(long_head, std::string(4096, 'z')), Verdict::down, ""},
      {"says 100 for ever", endless("", "HTTP/1.1 100 Continue\r\n\r\n"), Verdict::down, "answer too large"},
      {"sends its headers drop by drop", dripping("HTTP/1.1 200 OK\r\n" + std::string(4000, 'x')),
       Verdict::down, "no answer in time"},
      {"hangs before an answer", hang(), Verdict::down, "no answer in time"},
      {"hangs within the status line", hang("HTTP/1.1 2"), Verdict::down, "no answer in time"},
      {"hangs within the headers", hang("HTTP/1.1 200 OK\r\nServer: x\r\n"), Verdict::down,
       "no answer in time"},
      {"refuses with a body that never ends", endless("HTTP/1.1 400 No\r\n\r\n", std::string(4096, 'b')),
       Verdict::reject, "HTTP status 400"},
      // The status is the receipt: from here on the message is delivered, whatever becomes of the body.
      {"hangs within the body", hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), Verdict::delivered,
       ""},
      {"ends the body early", HttpReply::text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
       Verdict::delivered, ""},
      {"sends more body than it said", HttpReply::text("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabcdef"),
       Verdict::delivered, ""},
      {"never ends its body", endless("HTTP/1.1 200 OK\r\n\r\n", std::string(4096, 'b')), Verdict::delivered,
       ""},
      {"sends a broken chunk", HttpReply::text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
       Verdict::delivered, ""},
      {"says 103 first", HttpReply::text(std::string{"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"} + kOk),
       Verdict::delivered, ""},
  };
}

}  // namespace

TEST_CASE("http: whatever a broken server does has a verdict, and the next message gets through") {
  for (const Fault& fault : faults()) {
    CAPTURE(fault.what);
    ScriptedHttp server{[&](const HttpRequest& request) {
      return request.number == 0 ? fault.reply : HttpReply::text(kOk, false);
    }};
    Harness harness{impatient(server.url())};
    const Receipt receipt = harness.post(1);
    CAPTURE(receipt.reason);
    CHECK(receipt.verdict == fault.verdict);
    CHECK(contains(receipt.reason, fault.reason));
    CHECK(receipt.exposed == (fault.verdict == Verdict::down));
    CHECK(harness.post(2).verdict == Verdict::delivered);
    CHECK(harness.stop(seconds{5}) < seconds{5});
  }
}

TEST_CASE("http: stop returns in time while a server hangs at any stage") {
  for (const Fault& fault : faults()) {
    if (!fault.reply.hang && fault.reply.endless.empty() && fault.reply.drip.empty()) continue;
    CAPTURE(fault.what);
    ScriptedHttp server{[&](const HttpRequest&) { return fault.reply; }};
    auto options = options_for(server.url());
    options.max_response_bytes = 64U << 20U;
    Harness harness{options};
    harness.send(deliveries(1, 3));
    server.wait_requests(1);
    CHECK(harness.stop(milliseconds{200}) < seconds{2});
    // Each has exactly one receipt.
    std::set<std::uint64_t> claims;
    for (const Receipt& receipt : harness.recorder.wait_receipts(3))
      CHECK(claims.insert(receipt.claim).second);
    CHECK(claims.size() == 3);
  }
}

TEST_CASE("http: a server that hangs up at once, or never reads, is down") {
  SUBCASE("hangs up") {
    ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); },
                        [](std::size_t) { return std::optional{HttpReply::text("")}; }};
    Harness harness{impatient(server.url())};
    CHECK(harness.post(1).verdict == Verdict::down);
  }
  SUBCASE("never reads, and the payload is larger than the sockets hold") {
    ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); },
                        [](std::size_t) { return std::optional{hang()}; }};
    Harness harness{impatient(server.url())};
    const Receipt receipt = harness.post(delivery(1, "t", std::string(16U << 20U, 'x')));
    CHECK(receipt.verdict == Verdict::down);
    CHECK(receipt.exposed);
  }
  SUBCASE("hangs after the head of the request") {
    ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); },
                        {},
                        [](const HttpRequest&) { return std::optional{hang()}; }};
    Harness harness{impatient(server.url())};
    CHECK(harness.post(1).exposed);
  }
  SUBCASE("refuses before it has read the body") {
    ScriptedHttp server{
        [](const HttpRequest&) { return HttpReply::of(200); },
        {},
        [](const HttpRequest&) {
          return std::optional{HttpReply::text(
              "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false)};
        }};
    Harness harness{impatient(server.url())};
    const Receipt receipt = harness.post(delivery(1, "t", std::string(4U << 20U, 'x')));
    CHECK(receipt.verdict == Verdict::reject);
    CHECK(contains(receipt.reason, "413"));
  }
}

TEST_CASE("http: nobody listening is down, and the message was not exposed") {
  const auto closed = bound_socket(-1);
  Harness harness{impatient("http://127.0.0.1:" + std::to_string(port_of(closed.get())))};
  const Receipt receipt = harness.post(1);
  CHECK(receipt.verdict == Verdict::down);
  CHECK(contains(receipt.reason, "connection refused"));
  CHECK_FALSE(receipt.exposed);
}

TEST_CASE("http: a name that does not exist is down and names the host") {
  Harness harness{impatient("http://no-such-host.invalid/")};
  const Receipt receipt = harness.post(1);
  CHECK(receipt.verdict == Verdict::down);
  CHECK(contains(receipt.reason, "no-such-host.invalid"));
  CHECK_FALSE(receipt.exposed);
}

TEST_CASE("http: the receiver drops the copy of a message that libcurl itself sent again") {
  // Works on what comes, then dies without an answer on a connection that had served before: libcurl sends
  // the request again by itself.
  std::set<std::string> processed;
  std::atomic<int> copies{0};
  ScriptedHttp server{[&](const HttpRequest& request) {
    const bool first_time = processed.insert(request.header("idempotency-key")).second;
    if (!first_time) ++copies;
    const bool die = request.number == 1;
    return die ? HttpReply::text("") : HttpReply::text(kOk, false);
  }};
  auto options = options_for(server.url());
  options.parallel = 1;
  Harness harness{options};
  CHECK(harness.post(1).verdict == Verdict::delivered);
  CHECK(harness.post(2).verdict == Verdict::delivered);
  harness.stop(seconds{5});
  const auto requests = server.requests();
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].header("idempotency-key") == '"' + delivery(2).id.to_string() + '"');
  CHECK(requests[2].header("idempotency-key") == requests[1].header("idempotency-key"));
  CHECK(requests[2].header("satchel-id") == requests[1].header("satchel-id"));
  CHECK(requests[2].body == requests[1].body);
  CHECK(copies == 1);
}

TEST_CASE("http: a request that was sent counts as exposed although the second try does not connect") {
  // The reused connection dies after the request, and nobody listens any more when libcurl tries again.
  auto server = std::make_unique<ScriptedHttp>(
      [](const HttpRequest& request) { return request.number == 0 ? HttpReply::text(kOk, false) : hang(); });
  auto options = impatient(server->url());
  options.request_timeout = seconds{20};
  options.parallel = 1;
  Harness harness{options};
  CHECK(harness.post(1).verdict == Verdict::delivered);
  harness.send({delivery(2)});
  server->wait_requests(2);
  server.reset();
  const Receipt receipt = harness.receipt_of(2);
  CHECK(receipt.verdict == Verdict::down);
  CHECK(receipt.exposed);
}

TEST_CASE("http: reset answers everything under way, drops the connections and comes back") {
  ScriptedHttp server{
      [](const HttpRequest& request) { return request.number < 2 ? hang() : HttpReply::of(200); }};
  auto options = options_for(server.url());
  options.parallel = 2;
  Harness harness{options};
  harness.send(deliveries(1, 5));
  server.wait_requests(2);
  harness.sink().reset();
  const auto cause = harness.recorder.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  const auto receipts = harness.recorder.wait_receipts(5);
  REQUIRE(receipts.size() == 5);
  for (const Receipt& receipt : receipts) {
    CHECK(receipt.verdict == Verdict::down);
    CHECK(receipt.exposed);
  }
  harness.sink().resume();
  REQUIRE(harness.recorder.wait_up());
  CHECK(harness.post(6).verdict == Verdict::delivered);
}

TEST_CASE("http: stop lets a request that is under way come to its end") {
  std::promise<void> go;
  auto released = go.get_future();
  ScriptedHttp server{[&](const HttpRequest&) {
    released.wait();
    return HttpReply::of(200);
  }};
  auto options = options_for(server.url());
  options.parallel = 1;
  Harness harness{options};
  harness.send(deliveries(1, 2));
  server.wait_connections(1);
  milliseconds waited{0};
  std::thread stopper{[&] { waited = harness.stop(seconds{20}); }};
  // The one that has not begun is given back at once.
  CHECK(harness.receipt_of(2).verdict == Verdict::down);
  CHECK_FALSE(harness.receipt_of(2).exposed);
  go.set_value();
  stopper.join();
  CHECK(harness.receipt_of(1).verdict == Verdict::delivered);
  CHECK(waited < seconds{10});
}

TEST_CASE("http: stop without start, stop twice, and destruction without stop are fine") {
  HttpSink never{options_for("http://127.0.0.1:9/")};
  never.stop(milliseconds{10});
  never.stop(milliseconds{10});
  SinkRecorder recorder;
  ScriptedHttp server{[](const HttpRequest&) { return hang(); }};
  {
    HttpSink sink{options_for(server.url())};
    sink.start(recorder);
    sink.resume();
    sink.send({delivery(1)});
    server.wait_requests(1);
  }
  CHECK(recorder.wait_receipts(1).size() == 1);
}

TEST_CASE("http: an idle sink does not wake up") {
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  Harness harness{options_for(server.url())};
  CHECK(harness.post(1).verdict == Verdict::delivered);
  const auto before = context_switches("satchel-http");
  REQUIRE(before >= 0);
  // Nothing is to happen in this time: waiting for it to pass is the test.
  poll(nullptr, 0, 700);
  const auto after = context_switches("satchel-http");
  // Once to fall asleep after the receipt, once for the end of the response.
  CHECK(after - before <= 2);
}

TEST_CASE("http: a process that the application starts does not get the connections") {
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  auto options = options_for(server.url());
  SUBCASE("to the server") {}
  SUBCASE("to a proxy") {
    options = options_for("http://example.invalid/");
    options.proxy = server.url("");
  }
  Harness harness{options};
  CHECK(harness.post(1).verdict == Verdict::delivered);
  const Connections connections = connections_to(server.port());
  CHECK(connections.kept == 1);
  CHECK(connections.inherited == 0);
}
