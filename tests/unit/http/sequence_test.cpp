// SPDX-License-Identifier: MIT
#include "sinks/http/item.hpp"
#include "sinks/http/request.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <variant>

using namespace satchel;
using namespace satchel::http;

namespace {

Delivery message(std::optional<std::int64_t> sequence) {
  Delivery made;
  made.claim = 1;
  made.id.row = 1;
  made.topic = "t";
  made.payload = "1";
  made.content_type = "application/json";
  made.sequence = sequence;
  return made;
}

/// The request for one message, as header lines and body in one text.
std::string request_for(HttpBody body, Delivery delivery) {
  HttpOptions options;
  options.url = "http://localhost/";
  options.body = body;
  Batch batch;
  batch.push_back(ItemEncoder{options}.encode(std::move(delivery)));
  auto built = RequestBuilder{options}.build(batch);
  REQUIRE(std::holds_alternative<Request>(built));
  const Request& request = std::get<Request>(built);
  std::string text;
  for (const std::string& field : request.fields) text += field + "\n";
  return text + request.body;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("http: the number of a message on its route goes with it in every kind of body") {
  const auto sent = [](HttpBody body) { return request_for(body, message(4'000'000'000)); };
  CHECK(count(sent(HttpBody::raw), "satchel-sequence: 4000000000\n") == 1);
  CHECK(count(sent(HttpBody::cloudevents_binary), "satchel-sequence: 4000000000\n") == 1);
  CHECK(count(sent(HttpBody::cloudevents_binary), "ce-satchelsequence: 4000000000\n") == 1);
  CHECK(count(sent(HttpBody::cloudevents_structured), "\"satchelsequence\":\"4000000000\"") == 1);
  CHECK(count(sent(HttpBody::cloudevents_batch), "\"satchelsequence\":\"4000000000\"") == 1);
  CHECK(count(sent(HttpBody::json_array), "\"sequence\":4000000000") == 1);
  CHECK(count(sent(HttpBody::ndjson), "\"sequence\":4000000000") == 1);
}

TEST_CASE("http: a message without a number carries none, and its headers cannot forge one") {
  for (const HttpBody body : {HttpBody::raw, HttpBody::cloudevents_binary, HttpBody::cloudevents_structured,
                              HttpBody::cloudevents_batch, HttpBody::json_array, HttpBody::ndjson}) {
    CAPTURE(static_cast<int>(body));
    CHECK(count(request_for(body, message(std::nullopt)), "sequence") == 0);
  }
  Delivery forged = message(7);
  forged.headers = {{"satchel-sequence", "8"}, {"ce-satchelsequence", "8"}, {"satchelsequence", "8"}};
  const std::string binary = request_for(HttpBody::cloudevents_binary, forged);
  CHECK(count(binary, "satchel-sequence: 8") == 0);
  CHECK(count(binary, "ce-satchelsequence: 8") == 0);
  CHECK(count(request_for(HttpBody::cloudevents_structured, forged), "\"8\"") == 0);
}
