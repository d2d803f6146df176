// SPDX-License-Identifier: MIT
#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace satchel;
using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::milliseconds;

namespace {

/// What the error says, "problem (hint)"; or "accepted".
template <class Expected, class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Expected& error) {
    return error.problem() + " (" + error.hint() + ")";
  }
  return "accepted";
}

std::string error_of(const Message& message, const Options& options = {}) {
  return error_of<InvalidMessage>([&] { validated(message, options); });
}

std::string error_of(const std::function<void(Options&)>& change) {
  Options options;
  change(options);
  return error_of<InvalidOption>([&] { validate(options); });
}

std::string error_of_route(const std::function<void(RouteOptions&)>& change) {
  RouteOptions route;
  change(route);
  return error_of<InvalidOption>([&] { validate(route); });
}

std::string error_of_rule(TopicRule rule) {
  return error_of([&](Options& options) { options.topics.push_back(std::move(rule)); });
}

constexpr milliseconds kTenYears = days{3653};

}  // namespace

TEST_CASE("validate: not_before at both ends of its range") {
  CHECK(error_of(Message{.topic = "t", .not_before = 0ms}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .not_before = kTenYears}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .not_before = -1ms}) == "not_before is -1 ms (from 0 ms to 10 years)");
  CHECK(error_of(Message{.topic = "t", .not_before = kTenYears + 1ms}) != "accepted");
  CHECK(error_of(Message{.topic = "t", .not_before = milliseconds::max()}) != "accepted");
}

TEST_CASE("validate: a message that would expire before it may be sent is refused, whoever says so") {
  CHECK(error_of(Message{.topic = "t", .expires_after = 5ms, .not_before = 4ms}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .expires_after = 5ms, .not_before = 5ms})
            .find("not_before is 5 ms and expires_after 5 ms") == 0);
  Options options;
  options.topics.push_back({.filter = "t", .not_before = 1h});
  CHECK(error_of(Message{.topic = "t", .expires_after = 1min}, options) != "accepted");
  CHECK(error_of(Message{.topic = "t"}, options) == "accepted");
}

TEST_CASE("validate: priority, coalescing and a policy of its own") {
  CHECK(error_of(Message{.topic = "t", .priority = Priority::bulk}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .priority = static_cast<Priority>(3)}) ==
        "priority is 3 (normal, urgent or bulk)");
  CHECK(error_of(Message{.topic = "t", .key = "k", .coalesce = true}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .coalesce = false}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .coalesce = true}).find("coalesce without a key") == 0);
  CHECK(error_of(Message{.topic = "t", .retry = RetryPolicy{1, Backoff{}, 0ms}}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .retry = RetryPolicy{1'000'000, {}, kTenYears}}) == "accepted");
  CHECK(error_of(Message{.topic = "t", .retry = RetryPolicy{.max_attempts = 0}}) ==
        "retry.max_attempts is 0 (from 1 to 1000000)");
  CHECK(
      error_of(Message{.topic = "t", .retry = RetryPolicy{.max_age = -1ms}}).find("retry.max_age is -1 ms") ==
      0);
  CHECK(error_of(Message{.topic = "t", .retry = RetryPolicy{.backoff = Backoff{.base = 0ms}}})
            .find("retry.backoff.base is 0 ms") == 0);
  CHECK(error_of(
            Message{
                .topic = "t",
                .retry = RetryPolicy{.backoff = Backoff{.factor = std::numeric_limits<double>::quiet_NaN()}}})
            .find("retry.backoff.factor is nan") == 0);
  CHECK(error_of(Message{.topic = "t", .retry = RetryPolicy{.backoff = Backoff{.base = 10s, .cap = 9s}}})
            .find("retry.backoff.cap is 9000 ms (from 10000") == 0);
}

TEST_CASE("validate: what a rule fills in is part of the message that is stored") {
  Options options;
  options.topics.push_back({.filter = "plant/#", .priority = Priority::bulk, .expires_after = 1h});
  const Message kept = validated({.topic = "plant/boiler"}, options);
  CHECK(kept.priority == Priority::bulk);
  CHECK(kept.expires_after == 1h);
}

TEST_CASE("validate: topic filters as the standard has them") {
  for (const char* filter :
       {"#", "+", "a", "/", "a/#", "+/+", "/+", "a//b", "+/a/#", "$SYS/#", "gr\xc3\xbc\xc3\x9f/+"}) {
    CAPTURE(filter);
    CHECK(filter_fault(filter) == "");
  }
  CHECK(filter_fault(std::string(65'535, 'a')) == "");
  CHECK(filter_fault("") == "empty");
  CHECK(filter_fault("a/#/b") == "'a/#/b', where # is not at the end");
  CHECK(filter_fault("a#") == "'a#', where a wildcard is a part of a level");
  CHECK(filter_fault("sport+") == "'sport+', where a wildcard is a part of a level");
  for (const std::string& filter :
       {std::string{"#/"}, std::string{"##"}, std::string{"a/+b"}, std::string{"++"}, std::string{"\xc3"},
        std::string("a\0b", 3), std::string{"a\nb"}, std::string(65'536, 'a')}) {
    CAPTURE(filter.size());
    CHECK(filter_fault(filter) != "");
  }
}

TEST_CASE("validate: a rule that is wrong is named by its number") {
  CHECK(error_of_rule({.filter = "a/#"}) == "accepted");
  CHECK(error_of_rule({.filter = "a#"}).find("topics[0].filter is 'a#'") == 0);
  CHECK(error_of_rule({}).find("topics[0].filter is empty") == 0);
  CHECK(error_of_rule({.filter = "a", .priority = static_cast<Priority>(9)}) ==
        "topics[0].priority is 9 (from 0 to 2)");
  CHECK(error_of_rule({.filter = "a", .not_before = kTenYears + 1ms}).find("topics[0].not_before is") == 0);
  CHECK(error_of_rule({.filter = "a", .expires_after = 0ms}).find("topics[0].expires_after is 0 ms") == 0);
  CHECK(error_of_rule({.filter = "a", .not_before = 1h, .expires_after = 1h}) != "accepted");
  CHECK(error_of_rule({.filter = "a", .retry = {.max_attempts = 1'000'001}})
            .find("topics[0].retry.max_attempts is 1000001") == 0);
  CHECK(error_of([](Options& options) { options.topics.assign(1000, {.filter = "a"}); }) == "accepted");
  CHECK(error_of([](Options& options) { options.topics.assign(1001, {.filter = "a"}); }) ==
        "the number of topics is 1001 (from 0 to 1000)");
  CHECK(error_of([](Options& options) {
          options.topics = {{.filter = "a"}, {.filter = "+a"}};
        }).find("topics[1].filter") == 0);
}

TEST_CASE("validate: a quota whose parts contradict one another") {
  CHECK(error_of([](Options& o) { o.quota = {.messages = 1, .bytes = 1, .keep_free = 1}; }) == "accepted");
  CHECK(error_of([](Options& o) { o.quota.bytes = (1ULL << 63U) - 1; }) == "accepted");
  CHECK(error_of([](Options& o) {
          o.quota.bytes = 1ULL << 63U;
        }).find("quota.bytes is 9223372036854775808") == 0);
  CHECK(error_of([](Options& o) { o.quota.messages = ~0ULL; }).find("quota.messages is") == 0);
  CHECK(error_of([](Options& o) { o.quota.keep_free = ~0ULL; }).find("quota.keep_free is") == 0);
  CHECK(error_of([](Options& o) { o.quota = {.exact = true, .bulk = {.messages = 5}}; }) == "accepted");
  CHECK(error_of([](Options& o) {
          o.quota.bulk.messages = 5;
        }).find("quota.bulk.messages is 5 without quota.exact") == 0);
  CHECK(error_of([](Options& o) {
          o.quota.urgent.bytes = 6;
        }).find("quota.urgent.bytes is 6 without quota.exact") == 0);
  CHECK(error_of([](Options& o) { o.quota.normal.messages = 7; }) != "accepted");
  CHECK(error_of([](Options& o) {
          o.quota = {.messages = 8, .when_full = WhenFull::drop_lowest};
        }).find("quota.when_full is drop_lowest without quota.exact") == 0);
  CHECK(error_of([](Options& o) { o.quota = {.keep_free = 8, .when_full = WhenFull::drop_lowest}; }) ==
        "accepted");
}

TEST_CASE("validate: the other options of the delivery policies") {
  CHECK(error_of([](Options& o) { o.bulk_share = 0; }) == "accepted");
  CHECK(error_of([](Options& o) { o.bulk_share = 1'000'000; }) == "accepted");
  CHECK(error_of([](Options& o) { o.bulk_share = 1'000'001; }) ==
        "bulk_share is 1000001 (from 0 to 1000000)");
  CHECK(error_of([](Options& o) { o.drain_jitter = days{1}; }) == "accepted");
  CHECK(error_of([](Options& o) { o.drain_jitter = -1ms; }).find("drain_jitter is -1 ms") == 0);
  CHECK(error_of([](Options& o) { o.drain_jitter = days{1} + 1ms; }) != "accepted");
  CHECK(error_of([](Options& o) { o.announce_topic = "device/losses"; }) == "accepted");
  CHECK(error_of([](Options& o) {
          o.announce_topic = "device/#";
        }).find("announce_topic is the topic 'device/#'") == 0);
}

TEST_CASE("validate: a quota has room for an announcement, or there are none") {
  const auto error_with = [](const Quota& quota, const char* topic) {
    return error_of([&](Options& o) {
      o.quota = quota;
      o.announce_topic = topic;
    });
  };
  CHECK(error_with({.messages = 1}, "") == "accepted");
  CHECK(error_with({.messages = 1}, "drops") ==
        "quota.messages is 1 with an announce_topic (at least 2: an announcement has to fit, too)");
  CHECK(error_with({.messages = 2}, "drops") == "accepted");
  CHECK(error_with({.bytes = 65'535}, "drops") ==
        "quota.bytes is 65535 with an announce_topic (at least 65536: an announcement has to fit, too)");
  CHECK(error_with({.bytes = 65'536}, "drops") == "accepted");
  CHECK(error_with({.exact = true, .bulk = {.messages = 1}}, "drops").find("quota.bulk.messages is 1") == 0);
  CHECK(error_with({.exact = true, .normal = {.bytes = 1}}, "drops").find("quota.normal.bytes is 1") == 0);
  CHECK(error_with({.exact = true, .urgent = {.messages = 2, .bytes = 65'536}}, "drops") == "accepted");
}

TEST_CASE("validate: the defaults of a route are valid, and so are both ends of each range") {
  CHECK(error_of_route([](RouteOptions&) {}) == "accepted");
  const std::vector<std::function<void(RouteOptions&)>> good{
      [](RouteOptions& r) { r.name = "A-z_09"; },
      [](RouteOptions& r) { r.name = std::string(64, 'a'); },
      [](RouteOptions& r) { r.topics.assign(1000, "a/+/#"); },
      [](RouteOptions& r) { r.window = 1; },
      [](RouteOptions& r) { r.window = 65'535; },
      [](RouteOptions& r) { r.window_bytes = 1; },
      [](RouteOptions& r) { r.window_bytes = 1U << 30U; },
      [](RouteOptions& r) { r.messages_per_second = 0.001; },
      [](RouteOptions& r) { r.messages_per_second = 1e6; },
      [](RouteOptions& r) { r.bytes_per_second = 1; },
      [](RouteOptions& r) { r.bytes_per_second = 1e10; },
      [](RouteOptions& r) { r.budget = {.bytes = ~0ULL, .urgent_reserve = ~0ULL}; },
      [](RouteOptions& r) { r.quiet.assign(100, {.from = 22h, .to = 6h}); },
      [](RouteOptions& r) { r.quiet = {{.from = 0h, .to = 24h}}; },
      [](RouteOptions& r) { r.drain = Drain::interleaved; },
  };
  for (std::size_t index = 0; index < good.size(); ++index) {
    CAPTURE(index);
    CHECK(error_of_route(good[index]) == "accepted");
  }
}

TEST_CASE("validate: a route's option out of range is named") {
  struct Wrong {
    const char* problem;
    std::function<void(RouteOptions&)> set;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Wrong> wrong{
      {"name is 65 bytes long", [](RouteOptions& r) { r.name = std::string(65, 'a'); }},
      {"name has a character", [](RouteOptions& r) { r.name = "a b"; }},
      {"the number of topics is 0", [](RouteOptions& r) { r.topics.clear(); }},
      {"the number of topics is 1001", [](RouteOptions& r) { r.topics.assign(1001, "a"); }},
      {"topics[1] is 'a#'",
       [](RouteOptions& r) {
         r.topics = {"a", "a#"};
       }},
      {"window is 65536", [](RouteOptions& r) { r.window = 65'536; }},
      {"window_bytes is 1073741825", [](RouteOptions& r) { r.window_bytes = (1U << 30U) + 1; }},
      {"messages_per_second is -1", [](RouteOptions& r) { r.messages_per_second = -1; }},
      {"messages_per_second is 0.0009", [](RouteOptions& r) { r.messages_per_second = 0.0009; }},
      {"messages_per_second is 1000001", [](RouteOptions& r) { r.messages_per_second = 1'000'001; }},
      {"messages_per_second is nan", [nan](RouteOptions& r) { r.messages_per_second = nan; }},
      {"bytes_per_second is 0.5", [](RouteOptions& r) { r.bytes_per_second = 0.5; }},
      {"bytes_per_second is inf",
       [](RouteOptions& r) { r.bytes_per_second = std::numeric_limits<double>::infinity(); }},
      {"budget.urgent_reserve is 2 of budget.bytes 1",
       [](RouteOptions& r) {
         r.budget = {1, 2};
       }},
      {"budget.urgent_reserve is 1 of budget.bytes 0",
       [](RouteOptions& r) {
         r.budget = {0, 1};
       }},
      {"budget.period is 7", [](RouteOptions& r) { r.budget.period = static_cast<DataBudget::Period>(7); }},
      {"the number of quiet hours is 101",
       [](RouteOptions& r) { r.quiet.assign(101, {.from = 1h, .to = 2h}); }},
      {"quiet[0] is from -1 min", [](RouteOptions& r) { r.quiet = {{.from = -1min, .to = 1h}}; }},
      {"quiet[0] is from 0 min to 1441 min",
       [](RouteOptions& r) { r.quiet = {{.from = 0h, .to = 1441min}}; }},
      {"quiet[1] is from 60 min to 60 min",
       [](RouteOptions& r) {
         r.quiet = {{.from = 1h, .to = 2h}, {.from = 1h, .to = 1h}};
       }},
      {"quiet[0] is from 1440 min to 0 min", [](RouteOptions& r) { r.quiet = {{.from = 24h, .to = 0h}}; }},
      {"drain is 3", [](RouteOptions& r) { r.drain = static_cast<Drain>(3); }},
  };
  for (const Wrong& one : wrong) {
    CAPTURE(one.problem);
    const std::string error = error_of_route(one.set);
    CHECK_MESSAGE(error.find(one.problem) == 0, error);
  }
}
