// SPDX-License-Identifier: MIT
#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using satchel::InvalidMessage;
using satchel::InvalidOption;
using satchel::Message;
using satchel::Options;
using satchel::validated;
using std::chrono::milliseconds;

TEST_CASE("validate: a plain message passes unchanged") {
  const Message message{.topic = "plant/boiler",
                        .payload = std::string("\0\xff", 2),
                        .key = "k",
                        .content_type = "text/plain",
                        .headers = {{"traceparent", "00-1"}}};
  const Message kept = validated(message, {});
  CHECK(kept.topic == message.topic);
  CHECK(kept.payload == message.payload);
  CHECK(kept.headers == message.headers);
}

TEST_CASE("validate: topics that MQTT forbids are refused") {
  for (const std::string& topic :
       {std::string{}, std::string{"a/+/b"}, std::string{"#"}, std::string("a\0b", 3), std::string{"a\nb"},
        std::string{"\xc3"}, std::string{"\xed\xa0\x80"}, std::string(65'536, 'a')}) {
    CAPTURE(topic.size());
    CHECK_THROWS_AS(validated({.topic = topic}, {}), InvalidMessage);
  }
  CHECK_NOTHROW(validated({.topic = std::string(65'535, 'a')}, {}));
  CHECK_NOTHROW(validated({.topic = "gr\xc3\xbc\xc3\x9f"}, {}));
}

TEST_CASE("validate: sizes at their limit pass and one byte more does not") {
  Options options;
  options.max_payload_bytes = 10;
  options.max_header_bytes = 4;
  CHECK_NOTHROW(validated({.topic = "t", .payload = std::string(10, 'x')}, options));
  CHECK_THROWS_AS(validated({.topic = "t", .payload = std::string(11, 'x')}, options), InvalidMessage);
  CHECK_NOTHROW(validated({.topic = "t", .headers = {{"ab", "cd"}}}, options));
  CHECK_THROWS_AS(validated({.topic = "t", .headers = {{"ab", "cde"}}}, options), InvalidMessage);
  CHECK_NOTHROW(validated({.topic = "t", .key = std::string(1024, 'k')}, options));
  CHECK_THROWS_AS(validated({.topic = "t", .key = std::string(1025, 'k')}, options), InvalidMessage);
}

TEST_CASE("validate: headers that could smuggle another header are refused") {
  for (const satchel::Header& header : std::vector<satchel::Header>{{"a", "b\r\nX: y"},
                                                                    {"a", "b\n"},
                                                                    {"a\r", "b"},
                                                                    {"a b", "c"},
                                                                    {"a:", "c"},
                                                                    {"", "c"},
                                                                    {std::string(129, 'n'), "c"},
                                                                    {"a", "\xff"},
                                                                    {"Satchel-Id", "x"}}) {
    CAPTURE(header.name);
    CHECK_THROWS_AS(validated({.topic = "t", .headers = {header}}, {}), InvalidMessage);
  }
}

TEST_CASE("validate: credentials are dropped from the headers, whatever their case") {
  const Message kept = validated({.topic = "t",
                                  .headers = {{"AUTHORIZATION", "Bearer x"},
                                              {"cookie", "y"},
                                              {"Set-Cookie", "z"},
                                              {"Proxy-Authorization", "p"},
                                              {"k", "v"}}},
                                 {});
  CHECK(kept.headers == std::vector<satchel::Header>{{"k", "v"}});
}

TEST_CASE("validate: expiry at both ends of its range") {
  CHECK_NOTHROW(validated({.topic = "t", .expires_after = milliseconds{1}}, {}));
  CHECK_THROWS_AS(validated({.topic = "t", .expires_after = milliseconds{0}}, {}), InvalidMessage);
  CHECK_THROWS_AS(validated({.topic = "t", .expires_after = milliseconds{-1}}, {}), InvalidMessage);
  CHECK_THROWS_AS(validated({.topic = "t", .expires_after = milliseconds::max()}, {}), InvalidMessage);
}

TEST_CASE("validate: the defaults are valid") { CHECK_NOTHROW(satchel::validate(Options{})); }

TEST_CASE("validate: an option out of range is named") {
  struct Wrong {
    const char* name;
    std::function<void(Options&)> set;
  };
  const std::vector<Wrong> cases{
      {"polling_interval", [](Options& o) { o.polling_interval = milliseconds{0}; }},
      {"max_attempts", [](Options& o) { o.max_attempts = 0; }},
      {"max_attempts", [](Options& o) { o.max_attempts = -1; }},
      {"max_attempts", [](Options& o) { o.max_attempts = 1'000'001; }},
      {"max_age", [](Options& o) { o.max_age = milliseconds{-1}; }},
      {"retry_backoff.base", [](Options& o) { o.retry_backoff.base = milliseconds{0}; }},
      {"retry_backoff.cap", [](Options& o) { o.retry_backoff.cap = milliseconds{1}; }},
      {"probe_backoff.factor", [](Options& o) { o.probe_backoff.factor = 0.5; }},
      {"blocked_probe", [](Options& o) { o.blocked_probe = milliseconds{0}; }},
      {"stable_after", [](Options& o) { o.stable_after = milliseconds{-1}; }},
      {"claim_timeout", [](Options& o) { o.claim_timeout = milliseconds{0}; }},
      {"window", [](Options& o) { o.window = 0; }},
      {"window", [](Options& o) { o.window = 65'536; }},
      {"window_bytes", [](Options& o) { o.window_bytes = 0; }},
      {"max_unsettled", [](Options& o) { o.max_unsettled = 0; }},
      {"max_payload_bytes", [](Options& o) { o.max_payload_bytes = (1U << 28U) + 1; }},
      {"max_header_bytes", [](Options& o) { o.max_header_bytes = (1U << 20U) + 1; }},
      {"max_transaction_messages", [](Options& o) { o.max_transaction_messages = 0; }},
      {"max_file_bytes", [](Options& o) { o.max_file_bytes = 1; }},
      {"busy_timeout", [](Options& o) { o.busy_timeout = milliseconds{-1}; }},
      {"gate_report_after", [](Options& o) { o.gate_report_after = milliseconds{0}; }},
      {"batch_size", [](Options& o) { o.batch_size = 0; }},
      {"settle_linger", [](Options& o) { o.settle_linger = milliseconds{-1}; }},
      {"page_size", [](Options& o) { o.page_size = 1000; }},
      {"page_size", [](Options& o) { o.page_size = 256; }},
      {"cache_bytes", [](Options& o) { o.cache_bytes = 1; }},
      {"memory_budget", [](Options& o) { o.memory_budget = (256U << 10U) - 1; }},
      {"memory_budget", [](Options& o) { o.memory_budget = (4ULL << 30U) + 1; }},
      {"checkpoint_bytes", [](Options& o) { o.checkpoint_bytes = 1; }},
      {"max_wal_bytes", [](Options& o) { o.max_wal_bytes = 1; }},
      {"max_free_bytes", [](Options& o) { o.max_free_bytes = 4095; }},
      {"reserve with max_free_bytes",
       [](Options& o) {
         o.reserve = true;
         o.max_file_bytes = 1U << 20U;
         o.max_free_bytes = 1U << 20U;
       }},
      {"reserve with max_file_bytes 0", [](Options& o) { o.reserve = true; }},
      {"reserve with max_file_bytes",
       [](Options& o) {
         o.reserve = true;
         o.max_file_bytes = (800ULL << 20U) + 1;
       }},
      {"reserve with max_wal_bytes",
       [](Options& o) {
         o.reserve = true;
         o.max_file_bytes = 1U << 20U;
         o.max_wal_bytes = 2U << 20U;
       }},
  };
  for (const Wrong& wrong : cases) {
    CAPTURE(wrong.name);
    Options options;
    wrong.set(options);
    try {
      satchel::validate(options);
      FAIL_CHECK("accepted");
    } catch (const InvalidOption& error) {
      CHECK(error.problem().find(wrong.name) == 0);
      CHECK_FALSE(error.hint().empty());
    }
  }
}

TEST_CASE(
    "validate: a memory budget sizes what was left at its default, and both ends of it are valid sizes") {
  const Options plain = satchel::sized_by_budget({});
  CHECK(plain.cache_bytes == Options{}.cache_bytes);
  CHECK(plain.window_bytes == Options{}.window_bytes);
  for (const std::uint64_t budget : {256ULL << 10U, 3ULL << 20U, 4ULL << 30U}) {
    Options options;
    options.memory_budget = budget;
    const Options sized = satchel::sized_by_budget(options);
    CHECK(sized.cache_bytes == budget / 4);
    CHECK(sized.window_bytes == budget / 8);
    CHECK_NOTHROW(satchel::validate(sized));
  }
  Options own;
  own.memory_budget = 1U << 20U;
  own.cache_bytes = 1U << 18U;
  CHECK(satchel::sized_by_budget(own).cache_bytes == 1U << 18U);
  CHECK(satchel::sized_by_budget(own).window_bytes == 1U << 17U);
}
