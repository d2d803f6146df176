// SPDX-License-Identifier: MIT
#include "bodies.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

using namespace satchel;
using namespace support;
using std::chrono::milliseconds;

namespace {

std::string gunzip(const std::string& packed) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::runtime_error{"inflateInit2"};
  std::string plain(1U << 22U, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  const int result = inflate(&stream, Z_FINISH);
  plain.resize(stream.total_out);
  inflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error{"not gzip"};
  return plain;
}

}  // namespace

TEST_CASE("http: a raw body is the payload byte for byte, with id, topic, key, time and headers beside it") {
  Delivery message = delivery(1, "plant/kessel ä", std::string("a\0b\r\n\xff", 6));
  message.key = "50% \"hot\"";
  message.created = WallTime{milliseconds{1'795'435'200'042}};
  message.headers = {
      {"traceparent", "00-abc"},     {"X-Empty", ""},   {"Content-Length", "3"},          {"Host", "evil"},
      {"Authorization", "Bearer x"}, {"Cookie", "a=b"}, {"Transfer-Encoding", "chunked"}, {"satchel-id", "x"},
      {"Idempotency-Key", "y"}};
  HttpOptions options;
  options.headers = {{"X-Tenant", "site-7"}};
  options.user_agent = "boiler/1";
  const auto request = taken(options, {message}).at(0);
  CHECK(request.method == "POST");
  CHECK(request.body == message.payload);
  CHECK(request.header("satchel-id") == id(1));
  CHECK(request.header("idempotency-key") == '"' + id(1) + '"');
  CHECK(request.header("satchel-topic") == "plant/kessel%20%C3%A4");
  CHECK(request.header("satchel-key") == "50%25%20%22hot%22");
  CHECK(request.header("satchel-created") == "2026-11-23T12:00:00.042Z");
  CHECK(request.header("traceparent") == "00-abc");
  CHECK(request.headers.contains("x-empty"));
  CHECK(request.header("x-tenant") == "site-7");
  CHECK(request.header("user-agent") == "boiler/1");
  CHECK(request.header("content-length") == "6");
  CHECK(contains(request.header("host"), "127.0.0.1"));
  for (const char* absent : {"authorization", "cookie", "transfer-encoding", "content-type", "expect"}) {
    CAPTURE(std::string{absent});
    CHECK_FALSE(request.headers.contains(absent));
  }
}

TEST_CASE("http: the topic takes its place in the address, and PUT is PUT") {
  HttpOptions options;
  options.url = "/base/{topic}/x?y=1";
  options.method = HttpMethod::put;
  const auto request = taken(options, {delivery(1, "a b/c?d#e%2F&../é", "p")}).at(0);
  CHECK(request.method == "PUT");
  CHECK(request.target == "/base/a%20b/c%3Fd%23e%252F%26../%C3%A9/x?y=1");
  CHECK_FALSE(request.headers.contains("satchel-topic"));
}

TEST_CASE("http: an empty payload and one of many megabytes arrive as they are") {
  const std::string large(8U << 20U, 'z');
  const auto requests = taken({}, {delivery(1, "t", "")});
  CHECK(requests.at(0).body.empty());
  CHECK(requests.at(0).header("content-length") == "0");
  CHECK(taken({}, {delivery(1, "t", large)}).at(0).body == large);
}

TEST_CASE(
    "http: a message that could begin another header or another path is rejected before anything is sent") {
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  Harness harness{options_for(server.url("/{topic}"))};
  std::vector<Delivery> evil(6);
  for (std::size_t index = 0; index < evil.size(); ++index) evil[index] = delivery(index + 1);
  evil[0].headers = {{"X-A", "b\r\nX-Admin: 1"}};
  evil[1].headers = {{"X-A: b\r\nX-Admin", "1"}};
  evil[2].headers = {{"X-A", std::string("b\0c", 3)}};
  evil[3].content_type = "text/plain\r\n\r\nGET / HTTP/1.1";
  evil[4].topic = "a/../../admin";
  evil[5].topic = "..";
  for (auto& message : evil) {
    const Receipt receipt = harness.post(message);
    CAPTURE(message.claim);
    CHECK(receipt.verdict == Verdict::reject);
    CHECK_FALSE(receipt.reason.empty());
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("http: CloudEvents in binary mode put the attributes into headers") {
  auto options = mode(HttpBody::cloudevents_binary);
  options.event_type = "com.example.reading";
  Delivery message = json_message(1, "{\"c\": 1}", "plant/ä");
  message.key = "k";
  message.created = WallTime{milliseconds{1'795'435'200'000}};
  message.headers = {{"ce-id", "forged"}, {"ce-dataschema", "urn:x"}, {"traceparent", "00"}};
  Delivery other = delivery(2);
  other.headers = {{"ce-type", "com.example.alarm"}};
  const auto requests = taken(options, {message, other});
  const auto& request = requests.at(0).header("satchel-id") == id(1) ? requests.at(0) : requests.at(1);
  const auto& second = requests.at(0).header("satchel-id") == id(1) ? requests.at(1) : requests.at(0);
  CHECK(request.body == "{\"c\": 1}");
  CHECK(request.header("content-type") == "application/json");
  CHECK(request.header("ce-specversion") == "1.0");
  CHECK(request.header("ce-id") == id(1));
  CHECK(request.header("ce-source") ==
        "/satchel/" + std::string(32, 'a').replace(0, 32, "abababababababababababababababab"));
  CHECK(request.header("ce-type") == "com.example.reading");
  CHECK(request.header("ce-subject") == "plant/%C3%A4");
  CHECK(request.header("ce-time") == "2026-11-23T12:00:00.000Z");
  CHECK(request.header("ce-partitionkey") == "k");
  CHECK(request.header("ce-dataschema") == "urn:x");
  CHECK(request.header("traceparent") == "00");
  CHECK(second.header("ce-type") == "com.example.alarm");
}

TEST_CASE("http: CloudEvents in structured mode are one JSON object a request") {
  auto options = mode(HttpBody::cloudevents_structured);
  options.event_source = "/device/7";
  options.parallel = 1;
  Delivery json = json_message(1, "{\"big\": 12345678901234567890.10, \"s\": \"\\u00e4\"}");
  json.key = "k";
  json.headers = {{"X-Trace-Id", "abc"}, {"id", "forged"}, {"satchel-x", "no"}};
  Delivery plain = delivery(2, "t", "71.5 °C");
  plain.content_type = "text/plain; charset=utf-8";
  Delivery binary = delivery(3, "t", std::string("\x00\x01\xfe", 3));
  binary.content_type = "application/octet-stream";
  const auto requests = taken(options, {json, plain, binary});
  REQUIRE(requests.size() == 3);

  CHECK(contains(requests[0].header("content-type"), "application/cloudevents+json"));
  CHECK(contains(requests[0].body, "\"data\":{\"big\":12345678901234567890.10,\"s\":\"ä\"}"));
  const Json first = parse(requests[0].body);
  CHECK(text(first, "specversion") == "1.0");
  CHECK(text(first, "id") == id(1));
  CHECK(text(first, "source") == "/device/7");
  CHECK(text(first, "type") == "satchel.message");
  CHECK(text(first, "subject") == "t");
  CHECK(text(first, "partitionkey") == "k");
  CHECK(text(first, "datacontenttype") == "application/json");
  CHECK(text(first, "xtraceid") == "abc");
  CHECK_FALSE(first.HasMember("satchelx"));
  CHECK(text(parse(requests[1].body), "data") == "71.5 °C");
  CHECK(text(parse(requests[2].body), "data_base64") == "AAH+");
}

TEST_CASE("http: a CloudEvents batch is a JSON array of events") {
  auto options = mode(HttpBody::cloudevents_batch);
  options.batch.max_count = 3;
  const auto requests = taken(options, {json_message(1, "1"), json_message(2, "2"), json_message(3, "3")});
  REQUIRE(requests.size() == 1);
  CHECK(contains(requests[0].header("content-type"), "application/cloudevents-batch+json"));
  const Json body = parse(requests[0].body);
  REQUIRE(body.IsArray());
  REQUIRE(body.Size() == 3);
  CHECK(text(body[2], "id") == id(3));
  CHECK(body[2]["data"].GetInt() == 3);
  CHECK(contains(requests[0].header("idempotency-key"), "\"batch-"));
}

TEST_CASE("http: a JSON array wraps every message with its id, or holds the bare payloads") {
  auto options = mode(HttpBody::json_array);
  options.batch.max_count = 3;
  Delivery message = json_message(1, "{ \"c\" : 1 }");
  message.headers = {{"X-A", "b"}, {"Cookie", "c"}};
  message.key = "k";
  Delivery plain = delivery(2, "t", "hello");
  plain.content_type = "text/plain";
  const Delivery binary = delivery(3, "t", "\xff");
  SUBCASE("envelopes") {
    const auto requests = taken(options, {message, plain, binary});
    REQUIRE(requests.size() == 1);
    const Json body = parse(requests[0].body);
    CHECK(text(body[0], "id") == id(1));
    CHECK(text(body[0], "topic") == "t");
    CHECK(text(body[0], "key") == "k");
    CHECK(body[0]["payload"]["c"].GetInt() == 1);
    CHECK(text(body[0]["headers"], "X-A") == "b");
    CHECK_FALSE(body[0]["headers"].HasMember("Cookie"));
    CHECK(text(body[1], "payload_text") == "hello");
    CHECK(text(body[2], "payload_base64") == "/w==");
  }
  SUBCASE("bare payloads") {
    options.batch.item = HttpItem::payload;
    options.batch.max_count = 2;
    const auto requests = taken(options, {message, json_message(2, "[1,\n2]")});
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].body == "[{\"c\":1},[1,2]]");
  }
  SUBCASE("a bare payload that is not JSON is rejected alone") {
    options.batch.item = HttpItem::payload;
    options.batch.max_count = 2;
    ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
    options.url = server.url();
    Harness harness{options};
    harness.send({json_message(1, "1"), delivery(2, "t", "no json"), json_message(3, "3")});
    CHECK(harness.receipt_of(2).verdict == Verdict::reject);
    CHECK(harness.receipt_of(1).verdict == Verdict::delivered);
    CHECK(harness.receipt_of(3).verdict == Verdict::delivered);
    CHECK(server.wait_requests(1).at(0).body == "[1,3]");
  }
}

TEST_CASE("http: NDJSON is one line a message, whatever white space the payloads have") {
  auto options = mode(HttpBody::ndjson);
  options.batch.max_count = 2;
  options.batch.item = HttpItem::payload;
  const auto requests = taken(options, {json_message(1, "{\n\"c\":\n1}"), json_message(2, "\"a\\nb\"")});
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].header("content-type") == "application/x-ndjson");
  CHECK(requests[0].body == "{\"c\":1}\n\"a\\nb\"\n");
}

TEST_CASE("http: gzip is used where it pays") {
  HttpOptions options;
  options.gzip = true;
  options.parallel = 1;
  std::string noise;
  std::uint32_t state = 1;
  for (int index = 0; index < 4096; ++index) {
    state = state * 1664525U + 1013904223U;
    noise += static_cast<char>(state >> 24U);
  }
  const std::string repeated(100'000, 'a');
  const auto requests = taken(options, {delivery(1, "t", repeated), delivery(2, "t", "short"),
                                        delivery(3, "t", noise), delivery(4, "t", repeated + "b")});
  REQUIRE(requests.size() == 4);
  CHECK(requests[0].header("content-encoding") == "gzip");
  CHECK(requests[0].body.size() < 1000);
  CHECK(gunzip(requests[0].body) == repeated);
  CHECK_FALSE(requests[1].headers.contains("content-encoding"));
  CHECK(requests[1].body == "short");
  CHECK_FALSE(requests[2].headers.contains("content-encoding"));
  CHECK(requests[2].body == noise);
  CHECK(gunzip(requests[3].body) == repeated + "b");
}
