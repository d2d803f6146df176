// SPDX-License-Identifier: MIT
#pragma once

#include "harness.hpp"

#include <doctest/doctest.h>
#include <cereal/archives/json.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace support {

using satchel::HttpBody;
using satchel::Verdict;

using Json = rapidjson::Document;

inline Json parse(const std::string& text) {
  Json document;
  document.Parse(text.data(), text.size());
  if (document.HasParseError()) throw std::runtime_error{"not JSON: " + text};
  return document;
}

inline std::string text(const rapidjson::Value& object, const char* name) {
  return object.HasMember(name) && object[name].IsString() ? object[name].GetString() : "";
}

inline std::string id(std::uint64_t claim) { return delivery(claim).id.to_string(); }

inline Delivery json_message(std::uint64_t claim, const std::string& payload,
                             const std::string& topic = "t") {
  Delivery message = delivery(claim, topic, payload);
  message.content_type = "application/json";
  return message;
}

/// Sends to a server that takes everything and returns the requests that made it there.
inline std::vector<HttpRequest> taken(HttpOptions options, std::vector<Delivery> batch) {
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  options.url = server.url(options.url.empty() ? "/" : options.url);
  Harness harness{std::move(options)};
  const std::size_t count = batch.size();
  harness.send(std::move(batch));
  for (const Receipt& receipt : harness.recorder.wait_receipts(count)) {
    CAPTURE(receipt.reason);
    CHECK(receipt.verdict == Verdict::delivered);
  }
  return server.requests();
}

inline HttpOptions mode(HttpBody body) {
  HttpOptions options;
  options.body = body;
  return options;
}

}  // namespace support
