// SPDX-License-Identifier: MIT
#include <satchel/satchel.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using satchel::InvalidOption;
using satchel::Outbox;
using satchel::RouteOptions;
using satchel::UsageError;
using support::Echo;
using support::EchoSink;
using support::TempDir;

RouteOptions route(std::string name, std::vector<std::string> topics = {"#"}) {
  RouteOptions options;
  options.name = std::move(name);
  options.topics = std::move(topics);
  return options;
}

void run_to_the_end(Outbox& outbox) {
  while (outbox.run_once()) {
  }
}

}  // namespace

TEST_CASE("outbox routes: a message takes the first route whose filter matches, and stays where none does") {
  TempDir directory;
  Outbox outbox{directory.path() + "/device.db"};
  auto alarms = std::make_shared<Echo>();
  auto values = std::make_shared<Echo>();
  outbox.attach(EchoSink{alarms}, route("alarms", {"alarm/#"}));
  outbox.attach(EchoSink{values}, route("", {"plant/+/value", "alarm/quiet"}));
  outbox.enqueue({.topic = "plant/a/value", .payload = "1"});
  outbox.enqueue({.topic = "alarm/quiet", .payload = "2"});
  outbox.enqueue({.topic = "nobody/wants/this", .payload = "3"});
  run_to_the_end(outbox);
  const satchel::Status status = outbox.status();
  REQUIRE(status.routes.size() == 2);
  CHECK(status.routes[0].name == "alarms");
  CHECK(status.routes[1].name == "route-2");
  CHECK(status.routes[0].delivered == 1);
  CHECK(status.routes[1].delivered == 1);
  CHECK(status.delivered == 2);
  CHECK(status.pending == 1);
  CHECK(status.sink == satchel::SinkState::up);
}

TEST_CASE("outbox routes: pause and resume work by name, before the start too") {
  TempDir directory;
  Outbox outbox{directory.path() + "/device.db"};
  auto echo = std::make_shared<Echo>();
  outbox.attach(EchoSink{echo}, route("modem"));
  outbox.pause("modem");
  CHECK(outbox.status().routes.at(0).paused);
  outbox.enqueue({.topic = "t", .payload = "p"});
  run_to_the_end(outbox);
  CHECK(outbox.status().pending == 1);
  CHECK(outbox.status().routes.at(0).paused);
  CHECK_THROWS_AS(outbox.resume("moden"), UsageError);
  outbox.resume("modem");
  run_to_the_end(outbox);
  CHECK(outbox.status().pending == 0);
  CHECK_FALSE(outbox.status().routes.at(0).paused);
  outbox.pause("modem");
  outbox.enqueue({.topic = "t", .payload = "p"});
  run_to_the_end(outbox);
  CHECK(outbox.status().pending == 1);
}

TEST_CASE("outbox routes: names and numbers at their limits") {
  TempDir directory;
  Outbox outbox{directory.path() + "/device.db"};
  CHECK_THROWS_AS(outbox.attach(EchoSink{std::make_shared<Echo>()}, route("no spaces")), InvalidOption);
  CHECK_THROWS_AS(outbox.attach(EchoSink{std::make_shared<Echo>()}, route("a", {"a/#/b"})), InvalidOption);
  outbox.attach(EchoSink{std::make_shared<Echo>()}, route("a"));
  CHECK_THROWS_AS(outbox.attach(EchoSink{std::make_shared<Echo>()}, route("a")), InvalidOption);
  for (int i = 1; i < 32; ++i) outbox.attach(EchoSink{std::make_shared<Echo>()});
  CHECK(outbox.status().routes.size() == 32);
  CHECK(outbox.status().routes.back().name == "route-32");
  CHECK_THROWS_AS(outbox.attach(EchoSink{std::make_shared<Echo>()}), UsageError);
}

TEST_CASE("outbox routes: a route with numbers has its own, without a gap") {
  TempDir directory;
  Outbox outbox{directory.path() + "/device.db"};
  auto sink = std::make_unique<satchel::testing::ScriptedSink>();
  satchel::testing::ScriptedSink& seen = *sink;
  outbox.attach(EchoSink{std::make_shared<Echo>()}, route("others", {"other/#"}));
  RouteOptions numbered = route("numbered");
  numbered.sequence = true;
  outbox.attach(std::move(sink), numbered);
  for (int i = 0; i < 6; ++i) outbox.enqueue({.topic = i % 2 == 0 ? "other/x" : "mine", .payload = "p"});
  run_to_the_end(outbox);
  std::vector<std::int64_t> numbers;
  for (const satchel::Delivery& one : seen.take_sent()) numbers.push_back(one.sequence.value_or(0));
  CHECK(numbers == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("outbox routes: a renewed identity holds for what comes, and nothing was dropped yet") {
  TempDir directory;
  Outbox outbox{directory.path() + "/device.db"};
  const satchel::MessageId before = outbox.enqueue({.topic = "t", .payload = "p"});
  const satchel::Identity fresh = outbox.renew_identity();
  CHECK(fresh == outbox.identity());
  CHECK(before.identity != fresh);
  CHECK(outbox.enqueue({.topic = "t", .payload = "p"}).identity == fresh);
  CHECK(outbox.dropped().empty());
}
