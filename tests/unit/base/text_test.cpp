// SPDX-License-Identifier: MIT
#include "base/text.hpp"

#include <doctest/doctest.h>

using satchel::base64;
using satchel::rfc3339;
using satchel::WallTime;
using namespace std::chrono_literals;

TEST_CASE("text: times are written as RFC 3339 in UTC with milliseconds") {
  CHECK(rfc3339(WallTime{0ms}) == "1970-01-01T00:00:00.000Z");
  CHECK(rfc3339(WallTime{1'709'251'199'999ms}) == "2024-02-29T23:59:59.999Z");
  CHECK(rfc3339(WallTime{-1ms}) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("text: a time that RFC 3339 cannot say is written as the nearest that it can") {
  CHECK(rfc3339(WallTime::max()) == "9999-12-31T23:59:59.999Z");
  CHECK(rfc3339(WallTime{253'402'300'799'998ms}) == "9999-12-31T23:59:59.998Z");
  CHECK(rfc3339(WallTime{-62'167'219'200'000ms}) == "0000-01-01T00:00:00.000Z");
  CHECK(rfc3339(WallTime::min()) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("text: base64 pads as RFC 4648 says") {
  CHECK(base64("").empty());
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("\xFF\xFE\xFD") == "//79");
}
