// SPDX-License-Identifier: MIT
//
// What a person sees on a terminal while messages flow, or while they are held back.
#include "cli/terminal.hpp"
#include "support/broker.hpp"
#include "support/flaky_proxy.hpp"

#include <satchel/satchel.hpp>

#include <doctest/doctest.h>

#include <regex>

using cli_test::Bench;
using cli_test::has;
using cli_test::Terminal;

namespace {

std::string satchel_with(const std::string& words) { return "\"" SATCHEL_PROGRAM "\" " + words; }

std::string url(std::uint16_t port) { return "mqtt://127.0.0.1:" + std::to_string(port); }

}  // namespace

TEST_CASE(
    "cli on a terminal: the bar of the relay fills, with the rate and the time left, until all is sent") {
  const Bench bench;
  support::Broker broker;
  {
    satchel::Outbox outbox{bench.file()};
    for (int batch = 0; batch < 30; ++batch) {
      satchel::Transaction transaction = outbox.begin();
      for (int number = 0; number < 1000; ++number)
        transaction.enqueue({.topic = "plant/x", .payload = "71.5"});
      transaction.commit();
    }
  }
  // The link stands still in the middle, until the bar has been seen there.
  support::FlakyProxy link{broker.port()};
  link.arm({.harm = support::Harm::stall, .way = support::Way::up, .at = 300'000});
  Terminal terminal{satchel_with("relay " + bench.file() + " --sink " + url(link.port()) + " --until-empty")};
  const std::regex filling{R"(\[#+\.+\] [1-9][0-9,]*/30,000  [1-9][0-9]*/s  [0-9]+ m?s left)"};
  terminal.wait([&](const std::string& seen) { return std::regex_search(seen, filling); });
  link.break_all();
  const std::string shown = terminal.wait_for("ended with");
  CHECK(has(shown, "[####################] 30,000/30,000"));
  CHECK_FALSE(has(shown, "starting"));
  CHECK_FALSE(has(shown, "standing by"));
  CHECK(has(shown, "30,000 delivered, 0 wait, 0 died"));
  CHECK(has(shown, "ended with 0"));
}

TEST_CASE("cli on a terminal: a second relay says that it stands by, and status that there is one") {
  const Bench bench;
  satchel::Outbox application{bench.file()};
  application.attach("mqtt://127.0.0.1:9");
  application.run_once();
  REQUIRE(application.status().leading);
  application.enqueue({.topic = "plant/x"});
  Terminal second{satchel_with("relay " + bench.file() + " --sink mqtt://127.0.0.1:9")};
  second.wait_for("another process is the relay; standing by");
  Terminal status{satchel_with("status " + bench.file())};
  const std::string shown = status.wait_for("ended with");
  CHECK(has(shown, "relay    running in process " + std::to_string(getpid())));
  CHECK(has(shown, "another one stands by"));
  second.type("C-c");
  second.wait_for("ended with");
}

TEST_CASE("cli on a terminal: a route that is paused is seen on the live status, until it is resumed") {
  const Bench bench;
  support::Broker broker;
  satchel::Outbox application{bench.file()};
  application.attach(url(broker.port()), {.name = "logs", .paused = true});
  application.start();
  application.enqueue({.topic = "log/a"});
  Terminal terminal{satchel_with("status " + bench.file() + " --watch --interval 0.2")};
  terminal.wait_for("- route logs is paused by the application; 1 message waits");
  application.resume("logs");
  const std::string shown = terminal.wait_for("1 delivered");
  CHECK_FALSE(has(shown, "paused by the application"));
  CHECK(has(shown, "  up"));
  terminal.type("q");
  terminal.wait_for("ended with 0");
  application.stop(std::chrono::seconds{5});
}
