// SPDX-License-Identifier: MIT
#include "support/temp_dir.hpp"

#include <satchel/satchel.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace {

using support::TempDir;

struct Opened {
  explicit Opened(const satchel_options* options = nullptr) {
    REQUIRE(satchel_open(path.c_str(), options, &outbox) == SATCHEL_OK);
  }
  ~Opened() { satchel_close(outbox); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  TempDir directory;
  std::string path = directory.path() + "/device.db";
  satchel_outbox* outbox = nullptr;
};

satchel_options defaults() {
  satchel_options options;
  REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
  return options;
}

int open_with(const satchel_options& options) {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  satchel_outbox* outbox = nullptr;
  const int code = satchel_open(path.c_str(), &options, &outbox);
  satchel_close(outbox);
  return code;
}

satchel_message message() {
  satchel_message made{};
  made.size = sizeof made;
  made.topic = "t";
  return made;
}

}  // namespace

TEST_CASE("C: priority, delay and coalescing of a message are checked") {
  const Opened fixture;
  satchel_message sent = message();
  for (const int priority :
       {SATCHEL_PRIORITY_UNSET, SATCHEL_PRIORITY_NORMAL, SATCHEL_PRIORITY_URGENT, SATCHEL_PRIORITY_BULK}) {
    sent.priority = priority;
    CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);
  }
  for (const int priority : {-1, 4, 1'000'000}) {
    sent.priority = priority;
    CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_INVALID_MESSAGE);
  }
  sent = message();
  sent.not_before_ms = -1;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_INVALID_MESSAGE);
  sent.not_before_ms = 1;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);
  sent.coalesce = 1;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_INVALID_MESSAGE);
  CHECK(std::string{satchel_last_error()->problem}.find("coalesce") == 0);
  sent.key = "k";
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);
}

TEST_CASE("C: quota and the other options of the delivery policies are checked at open") {
  CHECK(defaults().bulk_share == 10);
  CHECK(open_with(defaults()) == SATCHEL_OK);
  satchel_options options = defaults();
  options.quota_messages = 100;
  options.quota_when_full = SATCHEL_WHEN_FULL_DROP_LOWEST;
  options.quota_exact = 1;
  options.quota_bulk_messages = 10;
  options.block_dead_keys = 1;
  options.keep_identity = 1;
  options.announce_topic = "device/losses";
  CHECK(open_with(options) == SATCHEL_OK);
  options.quota_when_full = SATCHEL_WHEN_FULL_DROP_OLDEST;
  options.quota_exact = 0;
  CHECK(open_with(options) == SATCHEL_INVALID_OPTION);
  CHECK(std::string{satchel_last_error()->problem}.find("quota.bulk.messages") == 0);

  options = defaults();
  options.quota_when_full = 4;
  CHECK(open_with(options) == SATCHEL_INVALID_OPTION);
  options = defaults();
  options.announce_topic = "a/#";
  CHECK(open_with(options) == SATCHEL_INVALID_OPTION);
  options = defaults();
  options.drain_jitter_ms = -1;
  CHECK(open_with(options) == SATCHEL_INVALID_OPTION);
}

TEST_CASE("C: a program of the version before is served as it was") {
  // What its header knew ends here; behind it is something else of the program's.
  constexpr std::size_t kMessage = offsetof(satchel_message, not_before_ms);
  constexpr std::size_t kOptions = offsetof(satchel_options, bulk_share);
  satchel_message sent;
  std::memset(static_cast<void*>(&sent), 0x55, sizeof sent);
  std::memset(static_cast<void*>(&sent), 0, kMessage);
  sent.size = kMessage;
  sent.topic = "t";
  const Opened fixture;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);

  satchel_options options;
  std::memset(static_cast<void*>(&options), 0x55, sizeof options);
  REQUIRE(satchel_options_init(&options, kOptions) == SATCHEL_OK);
  CHECK(options.bulk_share == 0x5555555555555555);
  CHECK(open_with(options) == SATCHEL_OK);

  // The version after that.
  constexpr std::size_t kLaterMessage = offsetof(satchel_message, max_attempts);
  constexpr std::size_t kLaterOptions = offsetof(satchel_options, on_log);
  std::memset(static_cast<void*>(&sent), 0x55, sizeof sent);
  std::memset(static_cast<void*>(&sent), 0, kLaterMessage);
  sent.size = kLaterMessage;
  sent.topic = "t";
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);
  REQUIRE(satchel_options_init(&options, kLaterOptions) == SATCHEL_OK);
  CHECK(options.topic_count == std::size_t(0x5555555555555555));
  CHECK(open_with(options) == SATCHEL_OK);
  satchel_status status;
  std::memset(static_cast<void*>(&status), 0x55, sizeof status);
  status.size = offsetof(satchel_status, urgent);
  REQUIRE(satchel_get_status(fixture.outbox, &status) == SATCHEL_OK);
  CHECK(status.pending == 2);
  CHECK(status.urgent == 0x5555555555555555);

  CHECK(satchel_options_init(&options, kOptions - 1) == SATCHEL_USAGE);
  CHECK(satchel_options_init(&options, kOptions + 1) == SATCHEL_USAGE);
  CHECK(satchel_options_init(&options, sizeof options - 1) == SATCHEL_USAGE);
}
