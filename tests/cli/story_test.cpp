// SPDX-License-Identifier: MIT
//
// What an operator does on a device whose messages are stuck, by the program alone, with real peers.
#include "cli/program.hpp"
#include "support/broker.hpp"
#include "support/echo_sink.hpp"
#include "support/scripted_http.hpp"
#include "support/subscriber.hpp"

#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>

using cli_test::Bench;
using cli_test::has;
using cli_test::lines_in;
using cli_test::Outcome;

namespace {

std::string url(const support::Broker& broker, const std::string& more = {}) {
  return "mqtt://127.0.0.1:" + std::to_string(broker.port()) + more;
}

std::string with_user(const support::Broker& broker, const std::string& variable) {
  return "mqtt://device@127.0.0.1:" + std::to_string(broker.port()) + "?password_env=" + variable;
}

}  // namespace

TEST_CASE("cli: a backlog is sent to a real broker until nothing waits") {
  const Bench bench;
  support::Broker broker;
  support::Subscriber subscriber{broker.port()};
  for (int number = 0; number < 20; ++number) bench.send("plant/x", std::to_string(number));
  const Outcome relayed =
      bench.run({"relay", bench.file(), "--sink", url(broker), "--until-empty", "--timeout", "60s"});
  CHECK(relayed.code == 0);
  CHECK(has(relayed.out, "20 delivered, 0 wait, 0 died"));
  const std::vector<support::Received> received = subscriber.wait(20);
  REQUIRE(received.size() == 20);
  CHECK(received.front().payload == "0");
  CHECK(received.back().payload == "19");
}

TEST_CASE("cli: a wrong password is found by status, corrected, and what was stuck goes out") {
  const Bench bench;
  support::Broker broker{{.username = "device", .password = "right"}};
  support::Subscriber subscriber{broker.port(), "#", "device", "right"};
  bench.send("plant/boiler", "71.5");
  setenv("CLI_TEST_PASSWORD", "wrong", 1);
  const Outcome stuck = bench.run({"relay", bench.file(), "--sink", with_user(broker, "CLI_TEST_PASSWORD"),
                                   "--until-empty", "--timeout", "60s"});
  CHECK(stuck.code == 1);
  CHECK(has(stuck.out, "0 delivered, 1 waits"));
  CHECK(has(stuck.out, "the sink does not let the messages through"));
  CHECK_FALSE(has(stuck.out + stuck.err, "wrong"));

  const Outcome status = bench.run({"status", bench.file()});
  CHECK(status.code == 1);
  CHECK(has(status.out, "was blocked"));
  CHECK(has(status.out, "does not let this client connect"));
  CHECK(has(status.out, "no relay runs"));

  setenv("CLI_TEST_PASSWORD", "right", 1);
  const Outcome mended = bench.run({"relay", bench.file(), "--sink", with_user(broker, "CLI_TEST_PASSWORD"),
                                    "--until-empty", "--timeout", "60s"});
  unsetenv("CLI_TEST_PASSWORD");
  CHECK(mended.code == 0);
  CHECK(subscriber.wait(1).front().payload == "71.5");
  CHECK(has(bench.run({"status", bench.file()}).out, "all is well"));
}

TEST_CASE("cli: a message that a wrong address refused is found, understood, replayed and delivered") {
  const Bench bench;
  support::ScriptedHttp server{[](const support::HttpRequest& request) {
    return has(request.target, "/wrong") ? support::HttpReply::of(422) : support::HttpReply::of(204);
  }};
  const std::string id = bench.send("plant/boiler", "71.5");
  const Outcome refused =
      bench.run({"relay", bench.file(), "--sink", server.url("/wrong"), "--until-empty", "--timeout", "60s"});
  CHECK(refused.code == 1);
  CHECK(has(refused.out, "0 delivered, 0 wait, 1 died"));

  const Outcome status = bench.run({"status", bench.file()});
  CHECK(status.code == 1);
  CHECK(has(status.out, "1 dead letter: 1 x "));
  CHECK(has(status.out, "422"));
  CHECK(has(status.out, "satchel dead replay " + bench.file() + " --all"));
  const Outcome listed = bench.run({"dead", "list", bench.file()});
  CHECK(lines_in(listed.out) == 1);
  CHECK(has(listed.out, "rejected"));
  CHECK(has(bench.run({"dead", "show", bench.file(), id}).out, "\n71.5\n"));
  CHECK(has(bench.run({"show", bench.file(), id}).out, "dead letter (rejected)"));
  CHECK(has(bench.run({"dead", "export", bench.file()}).out, "\"reason\":\"rejected\""));

  const Outcome replayed = bench.run({"dead", "replay", bench.file(), id});
  CHECK(replayed.code == 0);
  CHECK(has(replayed.out, "1 message waits again"));
  CHECK(bench.run({"dead", "list", bench.file()}).out.empty());
  CHECK(
      bench.run({"relay", bench.file(), "--sink", server.url("/right"), "--until-empty", "--timeout", "60s"})
          .code == 0);
  const std::vector<support::HttpRequest> requests = server.requests();
  CHECK(requests.back().target == "/right");
  CHECK(requests.back().header("idempotency-key").find(id) != std::string::npos);
  CHECK(bench.run({"status", bench.file()}).code == 0);
}

TEST_CASE("cli: dead letters are chosen by id, by topic or all, and never deleted by accident") {
  const Bench bench;
  support::ScriptedHttp server{[](const support::HttpRequest&) { return support::HttpReply::of(422); }};
  for (const char* topic : {"plant/a", "plant/b", "test/a", "test/b"}) bench.send(topic, "x");
  bench.run({"relay", bench.file(), "--sink", server.url("/"), "--until-empty", "--timeout", "60s"});
  REQUIRE(lines_in(bench.run({"dead", "list", bench.file()}).out) == 4);
  CHECK(lines_in(bench.run({"dead", "list", bench.file(), "--topic", "test/#"}).out) == 2);
  CHECK(lines_in(bench.run({"dead", "list", bench.file(), "--limit", "3", "--json"}).out) == 3);
  CHECK(bench.run({"dead", "replay", bench.file()}).code == 2);
  CHECK(bench.run({"dead", "replay", bench.file(), "1", "--all"}).code == 2);
  CHECK(bench.run({"dead", "discard", bench.file(), "--topic", "test/#"}).code == 2);
  CHECK(bench.run({"dead", "discard", bench.file(), "--all"}).code == 2);
  REQUIRE(lines_in(bench.run({"dead", "list", bench.file()}).out) == 4);
  const Outcome discarded = bench.run({"dead", "discard", bench.file(), "--topic", "test/#", "--yes"});
  CHECK(discarded.code == 0);
  CHECK(has(discarded.out, "2 dead letters are gone"));
  const Outcome unknown = bench.run({"dead", "replay", bench.file(), "1", "99"});
  CHECK(unknown.code == 1);
  CHECK(has(unknown.out, "no dead letter 99"));
  CHECK(has(unknown.out, "1 message waits again"));
  CHECK(has(bench.run({"dead", "replay", bench.file(), "--all"}).out, "1 message waits again"));
}

TEST_CASE("cli: a dead letter that is discarded is announced to the receiver as the application would") {
  const Bench bench;
  support::ScriptedHttp server{[](const support::HttpRequest&) { return support::HttpReply::of(422); }};
  for (const char* payload : {"1", "2"}) bench.send("plant/a", payload);
  bench.run({"relay", bench.file(), "--sink", server.url("/"), "--until-empty", "--timeout", "60s"});
  REQUIRE(lines_in(bench.run({"dead", "list", bench.file()}).out) == 2);
  setenv("CLI_TEST_ANNOUNCE_TOPIC", "plant/gaps", 1);
  CHECK(bench.run({"dead", "discard", bench.file(), "1"}).code == 0);
  CHECK(bench.run({"list", bench.file()}).out.empty());
  const Outcome discarded = bench.run({"dead", "discard", bench.file(), "2", "--options-from", "CLI_TEST_"});
  unsetenv("CLI_TEST_ANNOUNCE_TOPIC");
  CHECK(discarded.code == 0);
  CHECK(has(discarded.out, "1 dead letter is gone"));
  CHECK(bench.run({"dead", "list", bench.file()}).out.empty());
  const std::string announced = bench.run({"list", bench.file(), "--json"}).out;
  CHECK(lines_in(announced) == 1);
  CHECK(has(announced, "\"topic\":\"plant/gaps\""));
  CHECK(has(announced, "discarded"));
}

TEST_CASE("cli: a relay whose sink refuses a topic delivers what else waits or comes due, and ends") {
  const Bench bench;
  support::ScriptedHttp server{[](const support::HttpRequest& request) {
    return support::HttpReply::of(has(request.target, "refused") ? 403 : 204);
  }};
  for (const char* topic : {"refused", "taken", "refused", "taken"}) bench.send(topic, "x");
  // Due when nothing else has moved for longer than the relay waits for that.
  bench.send("taken", "late", {"--not-before", "12s"});
  const Outcome relayed = bench.run(
      {"relay", bench.file(), "--sink", server.url("/{topic}"), "--until-empty", "--timeout", "60s"});
  CHECK(relayed.code == 1);
  CHECK(has(relayed.out, "3 delivered, 2 wait, 0 died"));
  CHECK(has(relayed.out, "stopped: the sink does not take all topics: topic refused: "));
  CHECK(has(relayed.out, "403"));
  const Outcome status = bench.run({"status", bench.file()});
  CHECK(has(status.out, "does not take all topics: topic refused: "));
}

TEST_CASE("cli: a relay whose sink refuses the only topic ends") {
  const Bench bench;
  support::ScriptedHttp server{[](const support::HttpRequest&) { return support::HttpReply::of(401); }};
  bench.send("refused", "x");
  const Outcome relayed =
      bench.run({"relay", bench.file(), "--sink", server.url(), "--until-empty", "--timeout", "60s"});
  CHECK(relayed.code == 1);
  CHECK(has(relayed.out, "0 delivered, 1 waits, 0 died"));
  CHECK(has(relayed.out, "stopped: the sink does not take all topics: topic refused: "));
}

TEST_CASE("cli: beside a running application it sees the relay and its sink, and takes nothing over") {
  const Bench bench;
  support::Broker broker;
  support::Subscriber subscriber{broker.port()};
  satchel::Outbox application{bench.file(), {.device_id = "unit-7"}};
  application.attach(url(broker));
  application.start();
  application.enqueue({.topic = "plant/first", .payload = "1"});
  REQUIRE(subscriber.wait(1).size() == 1);
  const Outcome status = bench.run({"status", bench.file()});
  CHECK(has(status.out, "running in process " + std::to_string(getpid())));
  CHECK(has(status.out, "  up for "));
  CHECK(has(status.out, "all is well"));
  CHECK(status.code == 0);
  // Sent by the application's relay, which was told of it.
  const Outcome sent = bench.run({"send", bench.file(), "plant/second", "2"});
  CHECK(sent.code == 0);
  CHECK(subscriber.wait(2).back().property("satchel-id") + "\n" == sent.out);
  const satchel::Identity identity = application.identity();
  CHECK(has(bench.run({"check", bench.file()}).out, "process " + std::to_string(getpid())));
  CHECK(application.identity() == identity);
  CHECK(application.status().leading);

  // The broker goes: the reason can be read from outside.
  broker.kill();
  application.enqueue({.topic = "plant/third", .payload = "3"});
  Outcome down;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  do {
    down = bench.run({"status", bench.file()});
  } while (!has(down.out, "  down for ") && std::chrono::steady_clock::now() < deadline);
  CHECK(has(down.out, "  down for "));
  CHECK(has(down.out, "check the network and the address"));
  CHECK_MESSAGE(down.code == 0, "an outage mends itself");
  application.stop(std::chrono::seconds{5});
}

TEST_CASE("cli: what an application holds back is told with what waits and what to do, as text and as JSON") {
  const Bench bench;
  support::Broker broker;
  support::Subscriber subscriber{broker.port()};
  satchel::Options options;
  options.quota.messages = 1000;
  satchel::Outbox application{bench.file(), options};
  application.attach(url(broker), {.name = "logs", .topics = {"log/#"}, .paused = true});
  application.attach(url(broker), {.name = "bytes", .topics = {"data/#"}, .budget = {.bytes = 6}});
  application.attach(url(broker), {.name = "slow", .topics = {"slow/#"}, .messages_per_second = 0.001});
  application.attach(url(broker), {.name = "rest", .topics = {"plant/#"}});
  application.start();
  for (const char* topic : {"log/a", "log/b", "data/a", "data/b", "slow/a", "slow/b", "plant/x"})
    application.enqueue({.topic = topic});
  REQUIRE(subscriber.wait(3).size() == 3);
  Outcome status;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  do {
    status = bench.run({"status", bench.file()});
  } while ((!has(status.out, "syncs a day") || !has(status.out, "pending  4 messages")) &&
           std::chrono::steady_clock::now() < deadline);
  CHECK_MESSAGE(status.code == 0, "that is what the application wants");
  CHECK(has(status.out, "route logs is paused by the application; 2 messages wait for it"));
  CHECK(has(status.out, "Outbox::resume"));
  CHECK(has(status.out, "has used up its data budget, 6 B in this period; 1 message waits for it"));
  CHECK(has(status.out, "pending  4 messages"));
  CHECK(has(status.out, "sends no faster than its rate lets it; 1 message waits for it"));
  CHECK(has(status.out, "messages/s"));
  CHECK(has(status.out, "syncs a day"));
  CHECK(has(status.out, "993 messages left"));
  const std::string json = bench.run({"status", bench.file(), "--json"}).out;
  CHECK(has(json, "\"standby\":false"));
  CHECK(has(json, "\"heartbeat_ms\":"));
  CHECK(has(json, "\"round_overdue_ms\":"));
  CHECK(has(json, "\"told_ms\":"));
  CHECK(has(json, "\"quota_left\":{\"messages\":993}"));
  CHECK(has(json, "\"wear\":{\"bytes\":"));
  const std::string address = url(broker);
  CHECK(has(json, "{\"route\":\"logs\",\"sink\":\"\",\"state\":\"none\",\"since_ms\":"));
  CHECK(has(json,
            "\"pending\":2,\"pending_is_bound\":false,\"in_flight\":0,\"delivered\":0,\"paused\":true,"
            "\"held_by\":\"nothing\",\"budget_used\":0}"));
  CHECK(has(json, "{\"route\":\"bytes\",\"sink\":\"" + address + "\",\"state\":\"up\""));
  CHECK(has(json, "\"held_by\":\"budget\""));
  application.enqueue({.topic = "stray"});
  const Outcome stray = bench.run({"status", bench.file()});
  CHECK_MESSAGE(stray.code == 1, "that message waits for ever");
  CHECK(has(stray.out, "! no route takes the topic of 1 message that waits"));
  application.stop(std::chrono::seconds{5});
}

TEST_CASE("cli: a relay whose thread hangs in a callback is found, and needs somebody") {
  const Bench bench;
  // An hour behind, so that it has hung for an hour at once.
  const auto clock = std::make_shared<satchel::testing::ManualClock>();
  clock->reboot(satchel::system_clock()->boot_id(), satchel::system_clock()->now() - std::chrono::hours{1});
  satchel::Options options;
  options.clock = clock;
  std::promise<void> entered;
  std::promise<void> release;
  satchel::Outbox application{bench.file(), options};
  application.attach(
      std::make_unique<support::EchoSink>(std::make_shared<support::Echo>(), [&](const satchel::Delivery&) {
        entered.set_value();
        release.get_future().wait();
        return satchel::delivered();
      }));
  application.start();
  application.enqueue({.topic = "plant/x"});
  entered.get_future().wait();
  const Outcome hangs = bench.run({"status", bench.file()});
  const std::string json = bench.run({"status", bench.file(), "--json"}).out;
  release.set_value();
  CHECK(application.stop(std::chrono::seconds{5}));
  CHECK(hangs.code == 1);
  CHECK(has(hangs.out, "relay    hangs in process " + std::to_string(getpid())));
  CHECK(has(hangs.out, "! the relay hangs: it has not come back for 1 h"));
  CHECK(has(hangs.out, "restart process " + std::to_string(getpid())));
  CHECK(has(json, "\"round_overdue_ms\":360"));
}

TEST_CASE("cli: of a long backlog it is told whether so many wait for a route at least or at most") {
  for (const bool takes_all : {true, false}) {
    const Bench bench;
    satchel::Outbox application{bench.file()};
    const auto attach = [&](const std::string& name, const std::string& topics) {
      application.attach(std::make_unique<support::EchoSink>(std::make_shared<support::Echo>()),
                         {.name = name, .topics = {topics}, .paused = true});
    };
    attach("first", takes_all ? "#" : "plant/#");
    attach("rest", "#");
    application.start();
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(bench.file().c_str(), &database) == SQLITE_OK);
    // The relay notes its routes meanwhile.
    sqlite3_busy_timeout(database, 30'000);
    CHECK(sqlite3_exec(database,
                       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001)"
                       " INSERT INTO satchel_message(topic, payload) SELECT 'plant/x', 'y' FROM n",
                       nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
    Outcome status;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    do {
      status = bench.run({"status", bench.file()});
    } while (!has(status.out, "route    first") && std::chrono::steady_clock::now() < deadline);
    CHECK(has(status.out, "pending  at most 100,001 messages"));
    CHECK(has(status.out, takes_all ? "at most 100,001 wait," : "at least 10,000 wait,"));
    CHECK_FALSE(has(status.out, "at least 100,001"));
    application.stop(std::chrono::seconds{5});
  }
}
