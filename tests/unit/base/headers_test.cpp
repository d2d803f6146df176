// SPDX-License-Identifier: MIT
#include "base/headers.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using satchel::decode_headers;
using satchel::encode_headers;
using satchel::Header;

TEST_CASE("headers: none is the empty text") {
  CHECK(encode_headers({}).empty());
  CHECK(decode_headers("").empty());
  CHECK(decode_headers("{}").empty());
}

TEST_CASE("headers: order, repeated names and awkward characters survive the way through the file") {
  const std::vector<Header> headers{
      {"b", "1"}, {"a", "quote \" backslash \\ tab \t"}, {"b", "gr\xc3\xbc\xc3\x9f"}, {"e", ""}};
  CHECK(decode_headers(encode_headers(headers)) == headers);
}

TEST_CASE("headers: numbers and booleans that another program wrote become text") {
  const std::vector<Header> expected{{"n", "12.5"}, {"t", "true"}, {"z", "-3"}};
  CHECK(decode_headers(R"({"n":12.5,"t":true,"z":-3})") == expected);
}

TEST_CASE("headers: anything but a flat object is refused with its reason") {
  for (const char* text : {"nonsense", "[]", "[1]", "null", "\"x\"", "{\"a\":{}}", "{\"a\":[1]}",
                           "{\"a\":null}", "{\"a\":\"b\"", "{\"a\":\"b\"} x", "{\"a\":\"\xff\"}"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(decode_headers(text), satchel::InvalidMessage);
  }
}

TEST_CASE("headers: an escape that is no character is refused") {
  CHECK_THROWS_AS(satchel::decode_headers(R"({"a":"\udc00"})"), satchel::InvalidMessage);
  CHECK_THROWS_AS(satchel::decode_headers(R"({"\udfff":"b"})"), satchel::InvalidMessage);
  CHECK_THROWS_AS(satchel::decode_headers(R"({"a":"\ud800"})"), satchel::InvalidMessage);
  CHECK(satchel::decode_headers(R"({"a":"\ud83d\ude00"})").size() == 1);
}

TEST_CASE("headers: a million nested brackets neither crash nor pass") {
  CHECK_THROWS_AS(decode_headers(std::string(1'000'000, '[')), satchel::InvalidMessage);
  CHECK_THROWS_AS(decode_headers(std::string((4U << 20U) + 1, ' ')), satchel::InvalidMessage);
}
