// SPDX-License-Identifier: MIT
//
// What a C program sees of an outbox, and how it is told.
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.h>
#include <satchel/sink_url.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using support::Echo;
using support::EchoSink;
using support::TempDir;

satchel_options defaults() {
  satchel_options options;
  REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
  return options;
}

satchel_message message(const char* topic) {
  satchel_message made{};
  made.size = sizeof made;
  made.topic = topic;
  return made;
}

struct Opened {
  explicit Opened(const satchel_options& options = defaults()) {
    REQUIRE(satchel_open(path.c_str(), &options, &outbox) == SATCHEL_OK);
    satchel::register_scheme(
        "look", [](const satchel::SinkUrl&) { return std::make_unique<EchoSink>(std::make_shared<Echo>()); });
    satchel::register_scheme("full", [](const satchel::SinkUrl&) {
      return std::make_unique<EchoSink>(std::make_shared<Echo>(),
                                        [](const satchel::Delivery&) { return satchel::retry("full"); });
    });
  }
  ~Opened() { satchel_close(outbox); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  void enqueue(const satchel_message& sent) const {
    REQUIRE(satchel_enqueue(outbox, &sent, nullptr) == SATCHEL_OK);
  }
  satchel_status status() const {
    satchel_status now{};
    now.size = sizeof now;
    REQUIRE(satchel_get_status(outbox, &now) == SATCHEL_OK);
    return now;
  }
  void settle() const {
    for (int worked = 1; worked == 1;) REQUIRE(satchel_run_once(outbox, &worked) == SATCHEL_OK);
  }

  TempDir directory;
  std::string path = directory.path() + "/device.db";
  satchel_outbox* outbox = nullptr;
};

}  // namespace

TEST_CASE("C: a status says what waits, what is left of the quota, and what was written") {
  satchel_options options = defaults();
  options.quota_messages = 10;
  const Opened fixture{options};
  satchel_message sent = message("plant/x");
  sent.priority = SATCHEL_PRIORITY_URGENT;
  fixture.enqueue(sent);
  sent.priority = SATCHEL_PRIORITY_BULK;
  sent.not_before_ms = 3'600'000;
  fixture.enqueue(sent);
  REQUIRE(satchel_attach(fixture.outbox, "look://") == SATCHEL_OK);
  satchel_status status = fixture.status();
  CHECK(status.urgent == 1);
  CHECK(status.bulk == 1);
  CHECK(status.delayed == 1);
  CHECK(status.oldest_age_ms >= 0);
  CHECK(status.quota_messages_left == 8);
  CHECK(status.quota_bytes_left == -1);
  CHECK(status.heartbeat_ms == -1);
  CHECK(status.route_count == 1);
  CHECK(status.wear_bytes > 0);
  CHECK(status.wal_bytes > 0);
  CHECK(status.device_bytes > 0);
  fixture.settle();
  status = fixture.status();
  CHECK(status.delivered == 1);
  CHECK(status.delivered_bytes >= 7);
  CHECK(status.messages_per_second > 0);
  CHECK(status.heartbeat_ms >= 0);
  CHECK(status.urgent == 0);
}

TEST_CASE("C: each route is told with its sink, and the callback may stop") {
  const Opened fixture;
  satchel_route route{};
  route.size = sizeof route;
  route.name = "alarms";
  const char* const topics[] = {"alarm/#"};
  route.topics = topics;
  route.topic_count = 1;
  route.paused = 1;
  REQUIRE(satchel_attach_route(fixture.outbox, "look://", &route) == SATCHEL_OK);
  REQUIRE(satchel_attach(fixture.outbox, "look://") == SATCHEL_OK);
  fixture.enqueue(message("alarm/fire"));
  fixture.enqueue(message("plant/x"));
  fixture.settle();
  std::vector<std::string> told;
  const auto keep = [](void* context, const satchel_route_status* seen) {
    static_cast<std::vector<std::string>*>(context)->push_back(
        std::string{seen->name} + " " + seen->sink_name + " " + std::to_string(seen->paused) + " " +
        std::to_string(seen->pending) + " " + std::to_string(seen->delivered));
    return 0;
  };
  REQUIRE(satchel_routes(fixture.outbox, keep, &told) == SATCHEL_OK);
  CHECK(told == std::vector<std::string>{"alarms  1 1 0", "route-2 echo 0 0 1"});
  int calls = 0;
  const auto stop = [](void* context, const satchel_route_status*) { return ++*static_cast<int*>(context); };
  REQUIRE(satchel_routes(fixture.outbox, stop, &calls) == SATCHEL_OK);
  CHECK(calls == 1);
  CHECK(satchel_routes(fixture.outbox, nullptr, nullptr) == SATCHEL_USAGE);
}

TEST_CASE("C: metrics come as text in either format") {
  const Opened fixture;
  fixture.enqueue(message("plant/x"));
  std::string text;
  const auto keep = [](void* context, const char* told, size_t size) {
    CHECK(std::strlen(told) == size);
    *static_cast<std::string*>(context) = told;
  };
  REQUIRE(satchel_metrics(fixture.outbox, SATCHEL_METRICS_PROMETHEUS, keep, &text) == SATCHEL_OK);
  CHECK(text.find("satchel_") != std::string::npos);
  CHECK(text.find("# EOF") == std::string::npos);
  REQUIRE(satchel_metrics(fixture.outbox, SATCHEL_METRICS_OPENMETRICS, keep, &text) == SATCHEL_OK);
  CHECK(text.find("# EOF") != std::string::npos);
  CHECK(satchel_metrics(fixture.outbox, 2, keep, &text) == SATCHEL_INVALID_OPTION);
  CHECK(satchel_metrics(fixture.outbox, 0, nullptr, nullptr) == SATCHEL_USAGE);
}

TEST_CASE("C: what happens is told as lines from a level on, beside the events") {
  satchel_options options = defaults();
  std::vector<std::string> lines;
  int events = 0;
  options.on_log = [](void* context, int level, const char* line) {
    static_cast<std::vector<std::string>*>(context)->push_back(std::to_string(level) + " " + line);
  };
  options.log_context = &lines;
  options.on_event = [](void* context, const satchel_event*) { ++*static_cast<int*>(context); };
  options.event_context = &events;
  options.log_level = SATCHEL_LOG_ERROR + 1;
  satchel_outbox* none = nullptr;
  CHECK(satchel_open("/nowhere/device.db", &options, &none) == SATCHEL_INVALID_OPTION);
  options.log_level = SATCHEL_LOG_DEBUG;
  {
    const Opened fixture{options};
    REQUIRE(satchel_attach(fixture.outbox, "look://") == SATCHEL_OK);
    fixture.enqueue(message("plant/x"));
    fixture.settle();
  }
  bool delivered = false;
  for (const std::string& line : lines) delivered = delivered || line.find("0 delivered ") == 0;
  CHECK(delivered);
  CHECK(events > 0);
}

TEST_CASE("C: lines for a log come one at a time from several threads, and the log may enqueue") {
  constexpr int kThreads = 4;
  constexpr int kMessages = 100;
  struct Log {
    std::atomic<int> inside{0};
    std::atomic<int> lines{0};
    std::atomic<int> together{0};
    std::atomic<satchel_outbox*> outbox{nullptr};
  } log;
  satchel_options options = defaults();
  options.quota_messages = 1;
  options.quota_when_full = SATCHEL_WHEN_FULL_DROP_OLDEST;
  options.log_level = SATCHEL_LOG_WARNING;
  options.log_context = &log;
  options.on_log = [](void* context, int, const char* line) {
    auto& told = *static_cast<Log*>(context);
    if (std::string_view{line}.substr(0, 7) != "dropped") return;
    if (++told.inside > 1) ++told.together;
    ++told.lines;
    // Room for another one to come in.
    for (int times = 0; times < 50; ++times) std::this_thread::yield();
    --told.inside;
    // Drops one more, whose line comes from within this one.
    const satchel_message sent = message("log/line");
    if (satchel_outbox* outbox = told.outbox.exchange(nullptr))
      CHECK(satchel_enqueue(outbox, &sent, nullptr) == SATCHEL_OK);
  };
  const Opened fixture{options};
  fixture.enqueue(message("plant/first"));
  log.outbox = fixture.outbox;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&fixture] {
      const satchel_message sent = message("plant/x");
      for (int number = 0; number < kMessages; ++number)
        CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(log.together.load() == 0);
  CHECK(log.lines.load() == kThreads * kMessages + 1);
}

TEST_CASE("C: a message and a topic have limits of their own") {
  satchel_options options = defaults();
  satchel_topic_rule rule{};
  rule.size = sizeof rule;
  rule.filter = "once/#";
  rule.max_attempts = 1;
  rule.priority = SATCHEL_PRIORITY_URGENT;
  const satchel_topic_rule* const rules[] = {&rule};
  options.topics = rules;
  options.topic_count = 1;
  const Opened fixture{options};
  REQUIRE(satchel_attach(fixture.outbox, "full://") == SATCHEL_OK);
  satchel_message sent = message("plant/x");
  fixture.enqueue(sent);
  sent.max_attempts = 1;
  sent.max_age_ms = SATCHEL_NO_LIMIT;
  sent.retry_backoff_ms = 10;
  sent.retry_backoff_cap_ms = 20;
  fixture.enqueue(sent);
  fixture.enqueue(message("once/x"));
  CHECK(fixture.status().urgent == 1);
  fixture.settle();
  const satchel_status status = fixture.status();
  CHECK(status.dead == 2);
  CHECK(status.died == 2);
  CHECK(status.failing == 1);
  std::vector<satchel_message> dead;
  const auto keep = [](void* context, const satchel_dead_letter* letter) {
    static_cast<std::vector<satchel_message>*>(context)->push_back(*letter->message);
    return 0;
  };
  REQUIRE(satchel_dead_letters(fixture.outbox, 0, 10, keep, &dead) == SATCHEL_OK);
  REQUIRE(dead.size() == 2);
  CHECK(dead[0].max_attempts == 1);
  CHECK(dead[0].max_age_ms == SATCHEL_NO_LIMIT);
  CHECK(dead[0].retry_backoff_ms == 10);
  CHECK(dead[0].retry_backoff_cap_ms == 20);
  CHECK(dead[1].priority == SATCHEL_PRIORITY_URGENT);
  sent.max_attempts = int64_t{1} << 40;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) != SATCHEL_OK);
  rule.filter = "a#";
  satchel_outbox* none = nullptr;
  CHECK(satchel_open((fixture.path + "2").c_str(), &options, &none) == SATCHEL_INVALID_OPTION);
  options.topics = nullptr;
  CHECK(satchel_open((fixture.path + "2").c_str(), &options, &none) == SATCHEL_USAGE);
}

TEST_CASE("C: what was dropped is listed by reason and topic") {
  const Opened fixture;
  satchel_message sent = message("plant/x");
  sent.key = "k";
  sent.coalesce = 1;
  for (int number = 0; number < 3; ++number) fixture.enqueue(sent);
  std::string told;
  const auto keep = [](void* context, const satchel_dropped* dropped) {
    CHECK(dropped->reason == SATCHEL_DROP_COALESCED);
    *static_cast<std::string*>(context) +=
        dropped->topic + std::string{" "} + std::to_string(dropped->messages);
    return 0;
  };
  REQUIRE(satchel_dropped_messages(fixture.outbox, keep, &told) == SATCHEL_OK);
  CHECK(told == "plant/x 2");
  CHECK(fixture.status().dropped_coalesced == 2);
}

TEST_CASE("C: an identity names the messages, and a new one those that come") {
  const Opened fixture;
  std::array<unsigned char, SATCHEL_IDENTITY_BYTES> before{};
  REQUIRE(satchel_identity(fixture.outbox, before.data()) == SATCHEL_OK);
  satchel_message_id id{};
  const satchel_message sent = message("plant/x");
  REQUIRE(satchel_enqueue(fixture.outbox, &sent, &id) == SATCHEL_OK);
  CHECK(std::memcmp(id.identity, before.data(), before.size()) == 0);
  std::array<unsigned char, SATCHEL_IDENTITY_BYTES> after{};
  REQUIRE(satchel_renew_identity(fixture.outbox, after.data()) == SATCHEL_OK);
  CHECK(after != before);
  REQUIRE(satchel_enqueue(fixture.outbox, &sent, &id) == SATCHEL_OK);
  CHECK(std::memcmp(id.identity, after.data(), after.size()) == 0);
  CHECK(satchel_renew_identity(fixture.outbox, nullptr) == SATCHEL_OK);
  CHECK(satchel_identity(fixture.outbox, nullptr) == SATCHEL_USAGE);
}

TEST_CASE("C: the environment sets options over those of the program") {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  satchel_options options = defaults();
  options.quota_messages = 10;
  setenv("SATCHEL_C_TEST_WINDOW", "0", 1);
  satchel_outbox* outbox = nullptr;
  CHECK(satchel_open_from_environment(path.c_str(), "SATCHEL_C_TEST_", &options, &outbox) ==
        SATCHEL_INVALID_OPTION);
  setenv("SATCHEL_C_TEST_WINDOW", "7", 1);
  REQUIRE(satchel_open_from_environment(path.c_str(), "SATCHEL_C_TEST_", &options, &outbox) == SATCHEL_OK);
  satchel_status status{};
  status.size = sizeof status;
  CHECK(satchel_get_status(outbox, &status) == SATCHEL_OK);
  CHECK(status.quota_messages_left == 10);
  satchel_close(outbox);
  CHECK(satchel_open_from_environment(path.c_str(), nullptr, nullptr, &outbox) == SATCHEL_USAGE);
  unsetenv("SATCHEL_C_TEST_WINDOW");
}

TEST_CASE("C: an asynchronous enqueue's error stays as it is when the callback fails in a call of its own") {
  satchel_options options = defaults();
  options.quota_messages = 1;
  const Opened fixture{options};
  fixture.enqueue(message("plant/x"));
  struct Told {
    std::promise<int> code;
    std::string before;
    std::string after;
  } told;
  const satchel_message sent = message("plant/x");
  REQUIRE(satchel_enqueue_async(
              fixture.outbox, &sent,
              [](void* context, const satchel_error* error, const satchel_message_id*) {
                auto& kept = *static_cast<Told*>(context);
                const auto whole = [error] {
                  return std::string{error->operation} + '|' + error->problem + '|' + error->hint + '|' +
                         error->text;
                };
                kept.before = whole();
                CHECK(satchel_enqueue(nullptr, nullptr, nullptr) == SATCHEL_USAGE);
                CHECK(satchel_last_error()->code == SATCHEL_USAGE);
                kept.after = whole();
                kept.code.set_value(error->code);
              },
              &told) == SATCHEL_OK);
  CHECK(told.code.get_future().get() == SATCHEL_QUOTA_EXCEEDED);
  CHECK(told.before.find("quota") != std::string::npos);
  CHECK(told.after == told.before);
}

TEST_CASE("C: an asynchronous enqueue tells the id or the error, once") {
  satchel_options options = defaults();
  options.quota_messages = 1;
  const Opened fixture{options};
  struct Told {
    std::promise<std::string> text;
  };
  const auto tell = [](void* context, const satchel_error* error, const satchel_message_id* id) {
    const std::string text = error != nullptr ? error->problem : "row " + std::to_string(id->row);
    static_cast<Told*>(context)->text.set_value(text);
  };
  const satchel_message sent = message("plant/x");
  Told first;
  REQUIRE(satchel_enqueue_async(fixture.outbox, &sent, tell, &first) == SATCHEL_OK);
  CHECK(first.text.get_future().get() == "row 1");
  Told second;
  REQUIRE(satchel_enqueue_async(fixture.outbox, &sent, tell, &second) == SATCHEL_OK);
  CHECK(second.text.get_future().get().find("quota") != std::string::npos);
  const satchel_message bad = message("plant/#");
  CHECK(satchel_enqueue_async(fixture.outbox, &bad, tell, nullptr) == SATCHEL_INVALID_MESSAGE);
  CHECK(satchel_enqueue_async(fixture.outbox, &sent, nullptr, nullptr) == SATCHEL_USAGE);
  CHECK(fixture.status().pending == 1);
}
