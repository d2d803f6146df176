// SPDX-License-Identifier: MIT
#include <satchel/error.hpp>
#include <satchel/sink_url.hpp>

#include <doctest/doctest.h>

#include <string>

using satchel::SinkUrl;

TEST_CASE("sink url: all its parts") {
  const SinkUrl url =
      SinkUrl::parse("MQTTS://dev%20ice@broker.example:8884/base/x?qos=0&client_id=a%26b&retain");
  CHECK(url.scheme == "mqtts");
  CHECK(url.user == "dev ice");
  CHECK(url.host == "broker.example");
  CHECK(url.port == 8884);
  CHECK(url.path == "/base/x");
  CHECK(url.query.at("qos") == "0");
  CHECK(url.query.at("client_id") == "a&b");
  CHECK(url.query.at("retain").empty());
}

TEST_CASE("sink url: short forms") {
  CHECK(SinkUrl::parse("mqtt://localhost").port == 0);
  CHECK(SinkUrl::parse("stdout:").host.empty());
  const SinkUrl address = SinkUrl::parse("mqtt://[::1]:1883");
  CHECK(address.host == "::1");
  CHECK(address.port == 1883);
  CHECK(SinkUrl::parse("mqtt://[::1]").host == "::1");
}

TEST_CASE("sink url: what is malformed is refused") {
  for (const char* text : {"", "localhost", "://x", "mqtt://h:0", "mqtt://h:65536", "mqtt://h:1x",
                           "mqtt://h:", "mqtt://[::1", "mqtt://[::1]x", "mqtt://[::\x07]", "mqtt://h?=1",
                           "mqtt://h?a=1&a=2", "mqtt://%zz", "mqtt://h%0a", "mqtt://h#f", "m qtt://h"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(SinkUrl::parse(text), satchel::InvalidOption);
  }
  CHECK_THROWS_AS(SinkUrl::parse("mqtt://h/" + std::string(9000, 'a')), satchel::InvalidOption);
}

TEST_CASE("sink url: a password is refused and not repeated in the error") {
  try {
    SinkUrl::parse("mqtt://user:hunter2@h");
    FAIL("accepted");
  } catch (const satchel::InvalidOption& error) {
    CHECK(std::string{error.what()}.find("hunter2") == std::string::npos);
    CHECK(std::string{error.what()}.find("password") != std::string::npos);
  }
}
