// SPDX-License-Identifier: MIT
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

using satchel::Outbox;
using satchel::Priority;
using satchel::RouteOptions;
using satchel::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::Echo;
using support::EchoSink;
using support::TempDir;

namespace {

satchel::Message about(const std::string& topic, Priority priority = Priority::normal) {
  satchel::Message message;
  message.topic = topic;
  message.payload = "1234";
  message.priority = priority;
  return message;
}

struct Bench {
  TempDir directory;
  std::shared_ptr<satchel::testing::ManualClock> clock = std::make_shared<satchel::testing::ManualClock>();
  satchel::Options options() const {
    satchel::Options made;
    made.clock = clock;
    made.quota.messages = 10;
    return made;
  }
  std::string path() const { return directory.path() + "/device.db"; }
};

}  // namespace

TEST_CASE("status: what waits is told by priority, route and age, with what the quota leaves") {
  const Bench bench;
  Outbox outbox{bench.path(), bench.options()};
  RouteOptions alarms;
  alarms.topics = {"alarm/#"};
  outbox.attach(std::make_unique<EchoSink>(std::make_shared<Echo>()), alarms);
  outbox.attach(std::make_unique<EchoSink>(std::make_shared<Echo>()));
  CHECK_FALSE(outbox.status().oldest_age);
  outbox.enqueue(about("alarm/fire", Priority::urgent));
  bench.clock->advance(seconds{90});
  outbox.enqueue(about("log/a", Priority::bulk));
  outbox.enqueue(about("plant/x"));
  const Status status = outbox.status();
  CHECK(status.pending == 3);
  CHECK(status.urgent == 1);
  CHECK(status.bulk == 1);
  CHECK(status.oldest_age == seconds{90});
  REQUIRE(status.routes.size() == 2);
  CHECK(status.routes[0].pending == 1);
  CHECK(status.routes[1].pending == 2);
  CHECK_FALSE(status.routes[1].pending_is_bound);
  REQUIRE(status.quota_left.messages);
  CHECK(*status.quota_left.messages == 7);
  CHECK_FALSE(status.quota_left.bytes);
  CHECK(status.wal_bytes > 0);
  CHECK(status.device_bytes > 0);
  CHECK_FALSE(status.heartbeat);
}

TEST_CASE("status: deliveries are counted in bytes and by the second, and the rate ends with them") {
  const Bench bench;
  Outbox outbox{bench.path(), bench.options()};
  outbox.attach(std::make_unique<EchoSink>(std::make_shared<Echo>()));
  for (int number = 0; number < 5; ++number) outbox.enqueue(about("plant/x"));
  bench.clock->advance(seconds{60});
  for (int rounds = 0; rounds < 100 && outbox.status().delivered < 5; ++rounds) {
    outbox.run_once();
    bench.clock->advance(milliseconds{1});
  }
  Status status = outbox.status();
  CHECK(status.delivered == 5);
  CHECK(status.delivered_bytes == 5 * 11);
  CHECK(status.messages_per_second == doctest::Approx(0.5));
  CHECK(status.bytes_per_second == doctest::Approx(5.5));
  REQUIRE(status.heartbeat);
  CHECK(*status.heartbeat < seconds{1});
  bench.clock->advance(seconds{11});
  status = outbox.status();
  CHECK(status.messages_per_second == 0);
  CHECK(*status.heartbeat >= seconds{11});
}

TEST_CASE("status: wear counts pages and syncs of commits, and says what that makes in a day") {
  const Bench bench;
  Outbox outbox{bench.path(), bench.options()};
  const satchel::Wear before = outbox.status().wear;
  CHECK(before.bytes_per_day == 0);
  outbox.enqueue(about("plant/x"));
  const satchel::Wear after = outbox.status().wear;
  CHECK(after.bytes >= before.bytes + 4096);
  CHECK(after.bytes <= before.bytes + 10 * 4200);
  CHECK(after.syncs >= before.syncs + 1);
  bench.clock->advance(std::chrono::hours{12});
  const satchel::Wear day = outbox.status().wear;
  CHECK(day.bytes == after.bytes);
  CHECK(day.bytes_per_day == 2 * after.bytes);
  CHECK(day.syncs_per_day == 2 * after.syncs);
}
