// SPDX-License-Identifier: MIT
#include "base/retry.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace satchel;
using std::chrono::milliseconds;

namespace {

/// Two rules that both match `plant/boiler`, the first of which counts.
Options with_two_rules() {
  Options options;
  options.max_attempts = 5;
  options.max_age = milliseconds{1000};
  options.topics.push_back({.filter = "plant/+",
                            .priority = Priority::urgent,
                            .not_before = milliseconds{7},
                            .expires_after = milliseconds{9},
                            .coalesce = true,
                            .retry = {.max_attempts = 9}});
  options.topics.push_back({.filter = "plant/boiler", .priority = Priority::bulk});
  return options;
}

}  // namespace

TEST_CASE("retry: without a rule and a policy of its own a message is tried as the options say") {
  Options options;
  options.max_attempts = 3;
  options.retry_backoff.base = milliseconds{17};
  options.max_age = milliseconds{99};
  const RetryLimits expected{3, options.retry_backoff, milliseconds{99}};
  CHECK(limits_of("t", std::nullopt, options) == expected);
  CHECK(limits_of("t", RetryPolicy{}, options) == expected);
}

TEST_CASE("retry: each limit is the message's own, otherwise its rule's, otherwise that of the options") {
  Options options = with_two_rules();
  options.topics[0].retry.backoff = Backoff{.base = milliseconds{3}};
  const RetryLimits ruled = limits_of("plant/boiler", std::nullopt, options);
  CHECK(ruled.max_attempts == 9);
  CHECK(ruled.backoff.base == milliseconds{3});
  CHECK(ruled.max_age == milliseconds{1000});

  const RetryPolicy own{.max_attempts = 1, .max_age = milliseconds{0}};
  const RetryLimits mine = limits_of("plant/boiler", own, options);
  CHECK(mine.max_attempts == 1);
  CHECK(mine.backoff.base == milliseconds{3});
  CHECK(mine.max_age == milliseconds{0});

  CHECK(limits_of("office", std::nullopt, options).max_attempts == 5);
}

TEST_CASE("rules: the first rule that matches fills in what a message leaves open") {
  const Options options = with_two_rules();
  const Message filled = with_rules({.topic = "plant/boiler", .key = "k"}, options);
  CHECK(filled.priority == Priority::urgent);
  CHECK(filled.not_before == milliseconds{7});
  CHECK(filled.expires_after == milliseconds{9});
  CHECK(filled.coalesce == true);
  CHECK_FALSE(filled.retry.has_value());
  CHECK_FALSE(with_rules({.topic = "office"}, options).priority.has_value());
}

TEST_CASE("rules: what a message says itself stands") {
  const Options options = with_two_rules();
  const Message filled = with_rules({.topic = "plant/boiler",
                                     .key = "k",
                                     .expires_after = milliseconds{1},
                                     .priority = Priority::normal,
                                     .not_before = milliseconds{0},
                                     .coalesce = false},
                                    options);
  CHECK(filled.priority == Priority::normal);
  CHECK(filled.not_before == milliseconds{0});
  CHECK(filled.expires_after == milliseconds{1});
  CHECK(filled.coalesce == false);
}

TEST_CASE("rules: a message without a key is not made to coalesce") {
  CHECK_FALSE(with_rules({.topic = "plant/boiler"}, with_two_rules()).coalesce.has_value());
}
