// SPDX-License-Identifier: MIT
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.h>
#include <satchel/sink_url.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using support::Echo;
using support::EchoSink;
using support::TempDir;

struct Fixture {
  Fixture() {
    REQUIRE(satchel_open(path.c_str(), nullptr, &outbox) == SATCHEL_OK);
    satchel::register_scheme("test", [this](const satchel::SinkUrl&) {
      return std::make_unique<EchoSink>(echo, EchoSink::Answer{});
    });
  }
  ~Fixture() { satchel_close(outbox); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  int attach(const satchel_route& route) { return satchel_attach_route(outbox, "test://here", &route); }
  void enqueue(const char* topic) {
    satchel_message message{};
    message.size = sizeof message;
    message.topic = topic;
    CHECK(satchel_enqueue(outbox, &message, nullptr) == SATCHEL_OK);
  }
  uint64_t pending_after_all() {
    for (int worked = 1; worked == 1;) REQUIRE(satchel_run_once(outbox, &worked) == SATCHEL_OK);
    satchel_status status{};
    status.size = sizeof status;
    CHECK(satchel_get_status(outbox, &status) == SATCHEL_OK);
    return status.pending;
  }

  TempDir directory;
  std::string path = directory.path() + "/device.db";
  std::shared_ptr<Echo> echo = std::make_shared<Echo>();
  satchel_outbox* outbox = nullptr;
};

satchel_route named(const char* name) {
  satchel_route route{};
  route.size = sizeof route;
  route.name = name;
  return route;
}

}  // namespace

TEST_CASE("C: a message takes the route of its topic, and one that is paused waits for its resume") {
  Fixture fixture;
  const char* topics[] = {"fleet/#", "fleet-log"};
  satchel_route modem = named("modem");
  modem.topics = topics;
  modem.topic_count = 2;
  modem.paused = 1;
  REQUIRE(fixture.attach(modem) == SATCHEL_OK);
  REQUIRE(satchel_attach_route(fixture.outbox, "test://here", nullptr) == SATCHEL_OK);
  for (const char* topic : {"fleet/7", "plant/7", "fleet-log"}) fixture.enqueue(topic);
  CHECK(fixture.pending_after_all() == 2);
  CHECK(satchel_resume(fixture.outbox, "modem") == SATCHEL_OK);
  CHECK(fixture.pending_after_all() == 0);
  CHECK(satchel_pause(fixture.outbox, "modem") == SATCHEL_OK);
  fixture.enqueue("fleet/8");
  CHECK(fixture.pending_after_all() == 1);

  CHECK(satchel_pause(fixture.outbox, "no such route") == SATCHEL_USAGE);
  CHECK(satchel_resume(fixture.outbox, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_pause(nullptr, "modem") == SATCHEL_USAGE);
}

TEST_CASE("C: a route's options are checked when it is attached") {
  Fixture fixture;
  const satchel_quiet_hours wrong{0, 1441};
  const satchel_quiet_hours night{1320, 360};
  const char* no_filter[] = {"a#"};
  const char* null[] = {nullptr};
  std::vector<satchel_route> routes(9, named("r"));
  routes[0].name = "a b";
  routes[1].topics = no_filter;
  routes[1].topic_count = 1;
  routes[2].window = 65'536;
  routes[3].messages_per_second = -1;
  routes[4].budget_urgent_reserve = 1;
  routes[5].quiet = &wrong;
  routes[5].quiet_count = 1;
  routes[6].drain = 3;
  routes[7].drain = -1;
  routes[8].bytes_per_second = 0.1;
  for (std::size_t index = 0; index < routes.size(); ++index) {
    CAPTURE(index);
    CHECK(fixture.attach(routes[index]) == SATCHEL_INVALID_OPTION);
  }
  satchel_route route = named("r");
  route.size -= 1;
  CHECK(fixture.attach(route) == SATCHEL_USAGE);
  route = named("r");
  route.topic_count = 1;
  CHECK(fixture.attach(route) == SATCHEL_USAGE);
  route.topics = null;
  CHECK(fixture.attach(route) == SATCHEL_USAGE);
  route = named("r");
  route.quiet_count = 1;
  CHECK(fixture.attach(route) == SATCHEL_USAGE);

  route.quiet = &night;
  route.budget_bytes = 100;
  route.budget_by_day = 1;
  route.drain = SATCHEL_DRAIN_INTERLEAVED;
  CHECK(fixture.attach(route) == SATCHEL_OK);
}
