// SPDX-License-Identifier: MIT
//
// What a person sees on a terminal of 80 columns and 24 rows.
#include "cli/terminal.hpp"

#include <satchel/features.hpp>

#include <doctest/doctest.h>

#include <sstream>

using cli_test::Bench;
using cli_test::has;
using cli_test::Terminal;

namespace {

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::string satchel(const std::string& words) { return quoted(SATCHEL_PROGRAM) + " " + words; }

std::string row(const std::string& screen, std::size_t number) {
  std::istringstream lines{screen};
  std::string line;
  for (std::size_t at = 0; at <= number && std::getline(lines, line); ++at) continue;
  return line;
}

}  // namespace

TEST_CASE("cli on a terminal: a list has a head and columns, and is cut to the width") {
  const Bench bench;
  bench.send("plant/boiler/temperature", "71.5", {"--key", "boiler"});
  bench.send("plant/" + std::string(100, 'y'), "x");
  Terminal terminal{satchel("list " + bench.file())};
  const std::string shown = terminal.wait_for("ended with 0");
  CHECK(row(shown, 0).substr(0, 5) == "ROW  ");
  CHECK(has(row(shown, 0), "TOPIC"));
  const std::size_t column = row(shown, 0).find("TOPIC");
  CHECK(row(shown, 1).substr(column, 12) == "plant/boiler");
  CHECK(row(shown, 2).substr(column, 9) == "plant/yyy");
  CHECK(has(row(shown, 2), "..."));
  CHECK(has(row(shown, 2), "waiting"));
}

TEST_CASE(
    "cli on a terminal: status says what is stuck and what to do, in colours unless they are unwanted") {
  const Bench bench;
  bench.send("plant/boiler", "71.5");
  Terminal terminal{satchel("status " + bench.file())};
  const std::string shown = terminal.wait_for("ended with 1");
  CHECK(has(shown, "pending  1 message, oldest"));
  CHECK(has(shown, "relay    none"));
  CHECK(has(shown, "! no relay runs, so nothing is sent"));
  CHECK(has(terminal.written(), "\x1b[1;31m"));
  Terminal plain{"NO_COLOR=1 " + satchel("status " + bench.file())};
  plain.wait_for("ended with 1");
  CHECK_FALSE(has(plain.written(), "\x1b[1;31m"));
}

TEST_CASE("cli on a terminal: the relay shows a bar, the count and what is left" *
          doctest::skip(SATCHEL_HAVE_MQTT == 0)) {
  const Bench bench;
  for (int number = 0; number < 3; ++number) bench.send("plant/x", "x");
  // Nobody listens on port 9.
  Terminal terminal{satchel("relay " + bench.file() + " --sink mqtt://127.0.0.1:9 --until-empty")};
  const std::string shown = terminal.wait([](const std::string& seen) { return has(seen, "sink down"); });
  CHECK(has(shown, "[....................] 0/3  0/s"));
  terminal.type("C-c");
  const std::string after = terminal.wait_for("ended with");
  CHECK(has(after, "0 delivered, 3 wait, 0 died"));
  CHECK(has(after, "ended with 1"));
}

TEST_CASE("cli on a terminal: watch draws the backlog, follows it, and leaves the terminal as it was") {
  const Bench bench;
  for (int number = 0; number < 4; ++number) bench.send("plant/x", "x");
  Terminal terminal{satchel("watch " + bench.file() + " --interval 0.2")};
  std::string shown = terminal.wait_for("4 messages");
  CHECK(has(row(shown, 0), "satchel watch"));
  CHECK(has(row(shown, 0), "q quits"));
  CHECK(has(shown, "relay    none"));
  CHECK(has(shown, "messages that wait"));
  CHECK(has(shown, "      10 |"));
  CHECK(has(shown, "       0 |#"));
  bench.send("plant/x", "x");
  shown = terminal.wait_for("5 messages");
  terminal.type("q");
  shown = terminal.wait_for("ended with 0");
}

TEST_CASE("cli on a terminal: a screen on which little changes is redrawn with few bytes") {
  const Bench bench;
  bench.send("plant/x", "x");
  Terminal terminal{satchel("watch " + bench.file() + " --interval 0.2")};
  terminal.wait_for("       0 |###");
  terminal.written();
  const std::string before = terminal.screen();
  std::size_t bytes = 0;
  // Until the trace has gone on by ten columns.
  terminal.wait([&](const std::string& seen) {
    bytes += terminal.written().size();
    return has(seen, "       0 |#############");
  });
  CHECK(bytes < 1200);
  terminal.type("q");
  terminal.wait_for("ended with 0");
}

TEST_CASE("cli on a terminal: the live status takes up a new size and ends by Ctrl-C") {
  const Bench bench;
  bench.send("plant/x", "x");
  Terminal terminal{satchel("status " + bench.file() + " --watch --interval 0.2")};
  terminal.wait_for("no relay runs");
  terminal.resize(60, 12);
  terminal.wait(
      [](const std::string& seen) { return has(seen, "pending  1 message") && has(seen, "no relay runs"); });
  bench.send("plant/x", "x");
  terminal.wait_for("2 messages");
  terminal.type("C-c");
  terminal.wait_for("ended with 0");
}
