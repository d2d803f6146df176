// SPDX-License-Identifier: MIT
#include "store/retry_text.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using satchel::Backoff;
using satchel::RetryPolicy;
using satchel::store::decode_retry;
using satchel::store::encode_retry;

TEST_CASE("retry text: what is set comes back, what is unset takes no room") {
  CHECK(encode_retry({}).empty());
  RetryPolicy policy;
  policy.max_attempts = 7;
  CHECK(encode_retry(policy) == "n7");
  CHECK(decode_retry("n7") == policy);
  policy.backoff = Backoff{250ms, 1.5, 60s};
  policy.max_age = 0ms;
  CHECK(encode_retry(policy) == "n7 b250:1.5:60000 a0");
  CHECK(decode_retry(encode_retry(policy)) == policy);
  policy.backoff = Backoff{1ms, 1.1, 720h};
  CHECK(decode_retry(encode_retry(policy)) == policy);
}

TEST_CASE("retry text: what cannot be read or is out of its range counts as unset") {
  for (const char* text : {"",
                           " ",
                           "n",
                           "n0",
                           "n-1",
                           "n1000001",
                           "n5x",
                           "n99999999999999999999",
                           "b",
                           "b1",
                           "b1:2",
                           "b0:2:10",
                           "b10:0.5:20",
                           "b10:nan:20",
                           "b10:inf:20",
                           "b10:2:9",
                           "b10:2:2592000001",
                           "b10:2:20:30",
                           "a-1",
                           "a",
                           "a999999999999999",
                           "x5",
                           "\xff\x00",
                           "7"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_retry(text).has_value());
  }
  RetryPolicy attempts;
  attempts.max_attempts = 1'000'000;
  CHECK(decode_retry("b10:2:9 n1000000 a- z") == attempts);
}
