// SPDX-License-Identifier: MIT
//
// Every command on a real file, with no terminal near.
#include "cli/program.hpp"
#include "support/service_manager.hpp"

#include <satchel/sqlite_defects.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

using cli_test::Bench;
using cli_test::has;
using cli_test::lines_in;
using cli_test::Outcome;

TEST_CASE("cli: a message that was sent is listed, shown and counted") {
  const Bench bench;
  const std::string id = bench.send("plant/boiler", "71.5", {"--key", "boiler", "--header", "unit=C"});
  const Outcome listed = bench.run({"list", bench.file()});
  CHECK(listed.code == 0);
  CHECK(lines_in(listed.out) == 1);
  CHECK(has(listed.out, "\tplant/boiler\tboiler\t4\t0\twaiting"));
  CHECK_FALSE(has(listed.out, "\x1b"));
  const Outcome shown = bench.run({"show", bench.file(), id});
  CHECK(shown.code == 0);
  CHECK(has(shown.out, id));
  CHECK(has(shown.out, "unit: C"));
  CHECK(has(shown.out, "\n71.5\n"));
  CHECK(bench.run({"show", bench.file(), "1", "--payload"}).out == "71.5");
  const Outcome status = bench.run({"status", bench.file()});
  CHECK(has(status.out, "1 message, oldest"));
  CHECK(has(status.out, "no relay runs"));
  CHECK_MESSAGE(status.code == 1, "somebody has to start a relay");
  CHECK(has(bench.run({"status", bench.file(), "--json"}).out, "\"pending\":1,"));
}

TEST_CASE("cli: a payload that is no text is shown as numbers, and travels as base64") {
  const Bench bench;
  cli_test::write_file(bench.file("payload"), std::string{"\0\xff\x1b[2J", 6});
  const std::string id = bench.send("plant/raw", "", {"--payload-file", bench.file("payload")});
  const Outcome shown = bench.run({"show", bench.file(), id});
  CHECK(has(shown.out, "00 ff 1b 5b 32 4a"));
  CHECK_FALSE(has(shown.out, "\x1b"));
  CHECK(has(bench.run({"list", bench.file(), "--json"}).out, "\"payload_base64\":\"AP8bWzJK\""));
  CHECK(bench.run({"show", bench.file(), id, "--payload"}).out == std::string{"\0\xff\x1b[2J", 6});
}

TEST_CASE("cli: what looks like a command to the terminal is made visible") {
  const Bench bench;
  bench.send("plant/x", "x",
             {"--key",
              "k\xc2\x9b"
              "2J"});
  const Outcome listed = bench.run({"list", bench.file()});
  CHECK(has(listed.out, "k\\xc2\\x9b2J"));
}

TEST_CASE("cli: a list is narrowed by topic and key, limited and continued") {
  const Bench bench;
  for (int number = 0; number < 5; ++number) bench.send("plant/" + std::to_string(number % 2), "x");
  bench.send("other", "y", {"--key", "k"});
  CHECK(lines_in(bench.run({"list", bench.file(), "--topic", "plant/#"}).out) == 5);
  CHECK(lines_in(bench.run({"list", bench.file(), "--topic", "plant/1"}).out) == 2);
  CHECK(lines_in(bench.run({"list", bench.file(), "--key", "k"}).out) == 1);
  CHECK(lines_in(bench.run({"list", bench.file(), "--limit", "2"}).out) == 2);
  CHECK(bench.run({"list", bench.file(), "--after", "5"}).out.substr(0, 2) == "6\t");
  CHECK(bench.run({"list", bench.file(), "--failed"}).out.empty());
  const Outcome wrong = bench.run({"list", bench.file(), "--topic", "pl+nt"});
  CHECK(wrong.code == 2);
  CHECK(has(wrong.err, "'pl+nt' is no topic filter"));
}

TEST_CASE("cli: a file that is not there is told, and not made") {
  const Bench bench;
  for (const char* command : {"status", "list", "check", "export"}) {
    const Outcome outcome = bench.run({command, bench.file()});
    CHECK(outcome.code == 3);
    CHECK(has(outcome.err, "there is no such file"));
    CHECK(has(outcome.err, "name the database file of the application"));
  }
  CHECK(bench.run({"send", bench.file(), "plant/x", "y"}).code == 3);
  CHECK(bench.run({"salvage", bench.file()}).code == 3);
  CHECK(bench.run({"relay", bench.file(), "--sink", "stdout:"}).code == 3);
  struct stat status {};
  CHECK(stat(bench.file().c_str(), &status) != 0);
  CHECK(stat((bench.file() + "-relay").c_str(), &status) != 0);
}

TEST_CASE("cli: a database without an outbox, and a file that is no database, are left as they are") {
  const Bench bench;
  cli_test::write_file(bench.file("text"),
                       "this is a text, and long enough to be taken for the head of a database file\n");
  const std::string before = cli_test::read_file(bench.file("text"));
  const Outcome outcome = bench.run({"status", bench.file("text")});
  CHECK(outcome.code == 3);
  CHECK(bench.run({"send", bench.file("text"), "plant/x", "y"}).code == 3);
  CHECK(cli_test::read_file(bench.file("text")) == before);
  struct stat status {};
  CHECK(stat((bench.file("text") + "-relay").c_str(), &status) != 0);
}

TEST_CASE("cli: what cannot be understood ends with 2, what is refused with 5, each with what to do") {
  const Bench bench;
  bench.send("plant/x", "y");
  CHECK(bench.run({}).code == 2);
  CHECK(bench.run({"wrong"}).code == 2);
  CHECK(bench.run({"list"}).code == 2);
  CHECK(bench.run({"list", bench.file(), "--limit", "none"}).code == 2);
  CHECK(bench.run({"dead"}).code == 2);
  CHECK(bench.run({"show", bench.file(), "seventeen"}).code == 2);
  CHECK(has(bench.run({"show", bench.file(), "99"}).err, "no message with this id waits"));
  const Outcome refused = bench.run({"send", bench.file(), "plant/#", "y"});
  CHECK(refused.code == 5);
  CHECK(has(refused.err, "has a wildcard"));
  CHECK(bench.run({"send", bench.file(), "plant/x", "y", "--expires-after", "soon"}).code == 2);
  CHECK(bench.run({"send", bench.file(), "plant/x", "y", "--header", "novalue"}).code == 2);
  const Outcome scheme = bench.run({"relay", bench.file(), "--sink", "pigeon://roof"});
  CHECK(scheme.code == 2);
  CHECK(has(scheme.err, "known are"));
  const Outcome secret = bench.run({"relay", bench.file(), "--sink", "mqtt://user:hunter2@localhost"});
  CHECK(secret.code == 2);
  CHECK_FALSE(has(secret.err, "hunter2"));
}

TEST_CASE("cli: every command has help with an example") {
  const Bench bench;
  for (const char* command : {"status", "watch", "list", "show", "send", "relay", "dead", "check", "identity",
                              "backup", "salvage", "export", "import"}) {
    const Outcome help = bench.run({command, "--help"});
    CHECK(help.code == 0);
    CHECK_MESSAGE(has(help.out, std::string{"Examples:\n  "}), command);
    CHECK_MESSAGE(has(help.out, std::string{"satchel "} + command), command);
    const bool plain = std::all_of(help.out.begin(), help.out.end(),
                                   [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
    CHECK_MESSAGE(plain, command);
  }
  CHECK(has(bench.run({"--help"}).out, "Exit status:"));
  CHECK(has(bench.run({"--version"}).out, "satchel "));
}

TEST_CASE("cli: a live screen needs a terminal") {
  const Bench bench;
  bench.send("plant/x", "y");
  const Outcome outcome = bench.run({"watch", bench.file()});
  CHECK(outcome.code == 2);
  CHECK(has(outcome.err, "standard output is not a terminal"));
}

TEST_CASE("cli: the relay prints to standard output until nothing waits") {
  const Bench bench;
  const std::string first = bench.send("plant/x", "one");
  bench.send("plant/x", "two");
  const Outcome relayed =
      bench.run({"relay", bench.file(), "--sink", "stdout:", "--until-empty", "--timeout", "60s"});
  CHECK(relayed.code == 0);
  CHECK(has(relayed.out, first + "\tplant/x\tone\n"));
  CHECK(has(relayed.out, "2 delivered, 0 wait, 0 died"));
  const Outcome status = bench.run({"status", bench.file()});
  CHECK(status.code == 0);
  CHECK(has(status.out, "all is well"));
}

TEST_CASE("cli: as a service the relay says when it is ready and when it stops") {
  const Bench bench;
  bench.send("plant/x", "one");
  const support::ServiceManager manager{bench.file("notify")};
  const Outcome relayed =
      bench.run({"relay", bench.file(), "--sink", "stdout:", "--until-empty", "--timeout", "60s"});
  CHECK(relayed.code == 0);
  // What it says of its sink comes in between.
  std::vector<std::string> said;
  for (std::string text = manager.next(0); !text.empty(); text = manager.next(0)) {
    if (!text.starts_with("STATUS=")) said.push_back(text);
  }
  CHECK(said == std::vector<std::string>{"READY=1", "STOPPING=1"});
}

TEST_CASE("cli: a sound file passes the check and needs no salvage") {
  const Bench bench;
  bench.send("plant/x", "y");
  const Outcome checked = bench.run({"check", bench.file()});
  CHECK(checked.code == 0);
  CHECK(has(checked.out, "sound, read from end to end"));
  CHECK(has(checked.out, "permissions for the owner alone"));
  CHECK(has(checked.out, "SQLite      " + satchel::sqlite_copies().front().version + " in "));
  const Outcome salvaged = bench.run({"salvage", bench.file()});
  CHECK(salvaged.code == 0);
  CHECK(has(salvaged.out, "nothing was changed"));
  chmod(bench.file().c_str(), 0644);
  CHECK(has(bench.run({"check", bench.file()}).out, "has mode 0644"));
}

TEST_CASE("cli: a damaged file is found by the check and saved by the salvage") {
  const Bench bench;
  for (int number = 0; number < 3; ++number) bench.send("plant/x", std::string(9000, 'x'));
  // All into the file itself, so that the damage is not covered by the log.
  REQUIRE(bench.run({"backup", bench.file(), bench.file("copy.db")}).code == 0);
  std::string bytes = cli_test::read_file(bench.file("copy.db"));
  const std::size_t at = bytes.find("plant/x");
  REQUIRE(at != std::string::npos);
  const std::size_t page = at / 4096 * 4096;
  bytes.replace(page, 64, std::string(64, '\x7f'));
  cli_test::write_file(bench.file("copy.db"), bytes);
  const Outcome checked = bench.run({"check", bench.file("copy.db")});
  CHECK(checked.code != 0);
  CHECK(has(checked.out + checked.err, "salvage"));
  const Outcome salvaged = bench.run({"salvage", bench.file("copy.db")});
  CHECK(salvaged.code == 1);
  CHECK(has(salvaged.out, "copy.db.damaged-1"));
  CHECK(has(bench.run({"check", bench.file("copy.db")}).out, "sound, read from end to end"));
}

TEST_CASE("cli: a name in a damaged file does not steer the terminal when the file is salvaged") {
  const Bench bench;
  bench.send("plant/x", "y");
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(bench.file().c_str(), &database) == SQLITE_OK);
  CHECK(sqlite3_exec(database,
                     "CREATE TABLE \"log\x1b[2J\"(line);"
                     "INSERT INTO \"log\x1b[2J\" VALUES ('first row'), ('second row')",
                     nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
  REQUIRE(bench.run({"backup", bench.file(), bench.file("copy.db")}).code == 0);
  std::string bytes = cli_test::read_file(bench.file("copy.db"));
  const std::size_t at = bytes.find("second row");
  REQUIRE(at != std::string::npos);
  bytes.replace(at / 4096 * 4096, 64, std::string(64, '\x7f'));
  cli_test::write_file(bench.file("copy.db"), bytes);
  const Outcome salvaged = bench.run({"salvage", bench.file("copy.db")});
  CHECK(salvaged.code == 1);
  CHECK(has(salvaged.out, "of table log\\x1b[2J"));
  CHECK_FALSE(has(salvaged.out, "\x1b"));
}

TEST_CASE("cli: looking writes nothing, and a visitor makes no new identity for want of the device id") {
  const Bench bench;
  setenv("CLI_TEST_DEVICE_ID", "unit-7", 1);
  bench.send("plant/x", "y", {"--options-from", "CLI_TEST_"});
  unsetenv("CLI_TEST_DEVICE_ID");
  const std::string identity = bench.run({"identity", "show", bench.file()}).out;
  const std::string log = cli_test::read_file(bench.file() + "-wal");
  const std::string database = cli_test::read_file(bench.file());
  for (const char* command : {"status", "list", "check", "export"}) bench.run({command, bench.file()});
  CHECK(cli_test::read_file(bench.file() + "-wal") == log);
  CHECK(cli_test::read_file(bench.file()) == database);
  bench.run({"send", bench.file(), "plant/x", "z"});
  CHECK(bench.run({"identity", "show", bench.file()}).out == identity);
}

TEST_CASE("cli: a file that is to be made and is there already is visited like any other") {
  const Bench bench;
  setenv("CLI_TEST_DEVICE_ID", "unit-7", 1);
  setenv("CLI_TEST_QUOTA_EXACT", "true", 1);
  bench.send("plant/x", "y", {"--options-from", "CLI_TEST_"});
  unsetenv("CLI_TEST_DEVICE_ID");
  unsetenv("CLI_TEST_QUOTA_EXACT");
  const auto counts_exactly = [&bench] {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(bench.file().c_str(), &database) == SQLITE_OK);
    const int result = sqlite3_exec(database, "SELECT 1 FROM satchel_quota", nullptr, nullptr, nullptr);
    sqlite3_close(database);
    return result == SQLITE_OK;
  };
  CHECK(counts_exactly());
  const std::string identity = bench.run({"identity", "show", bench.file()}).out;
  const Outcome sent = bench.run({"send", bench.file(), "plant/x", "z", "--create"});
  CHECK(sent.code == 0);
  CHECK(sent.out.substr(0, 32) + "\n" == identity);
  CHECK(bench.run({"identity", "show", bench.file()}).out == identity);
  CHECK(counts_exactly());
  // Half made, as when another program is about to make it.
  sqlite3* half = nullptr;
  REQUIRE(sqlite3_open(bench.file("half").c_str(), &half) == SQLITE_OK);
  CHECK(sqlite3_exec(half, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(half);
  CHECK(bench.run({"send", bench.file("half"), "plant/x", "y", "--create"}).code == 0);
  cli_test::write_file(bench.file("text"), "no database");
  CHECK(bench.run({"send", bench.file("text"), "plant/x", "y", "--create"}).code == 3);
  CHECK(cli_test::read_file(bench.file("text")) == "no database");
}

TEST_CASE("cli: a new identity is begun when that is really wanted, for messages to come") {
  const Bench bench;
  const std::string id = bench.send("plant/x", "y");
  const std::string before = bench.run({"identity", "show", bench.file()}).out;
  CHECK(before == id.substr(0, 32) + "\n");
  const Outcome refused = bench.run({"identity", "renew", bench.file()});
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "add --yes"));
  CHECK(bench.run({"identity", "show", bench.file()}).out == before);
  const Outcome renewed = bench.run({"identity", "renew", bench.file(), "--yes"});
  CHECK(renewed.code == 0);
  CHECK(renewed.out != before);
  CHECK(bench.send("plant/x", "z").substr(0, 32) + "\n" == renewed.out);
  CHECK(bench.run({"show", bench.file(), id}).code == 0);
}

TEST_CASE("cli: urgent and delayed messages are told apart") {
  const Bench bench;
  bench.send("plant/x", "y", {"--priority", "urgent"});
  bench.send("plant/x", "y", {"--not-before", "1h"});
  bench.send("plant/x", "y");
  CHECK(has(bench.run({"status", bench.file()}).out, "3 messages (1 urgent, 1 delayed)"));
  CHECK(has(bench.run({"list", bench.file()}).out, "delayed"));
  CHECK(bench.run({"send", bench.file(), "plant/x", "y", "--priority", "high"}).code == 2);
}

TEST_CASE("cli: a secret in the URL of a sink is refused, with how to name what holds it, and not repeated") {
  const Bench bench;
  bench.send("plant/x", "y");
  for (const char* name : {"X-Api-Key", "x-api-key", "Cookie", "X-Auth-Token", "Authorization"}) {
    const Outcome refused = bench.run(
        {"relay", bench.file(), "--sink", std::string{"https://api.example/?header."} + name + "=hunter2"});
    CHECK(refused.code == 2);
    CHECK(has(refused.err, "header_file." + std::string{name} + "=/path"));
    CHECK_FALSE(has(refused.out + refused.err, "hunter2"));
  }
  const Outcome refused =
      bench.run({"relay", bench.file(), "--sink", "https://api.example/?query=a%3Db%26api_key%3Dhunter2"});
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "the value of api_key"));
  CHECK_FALSE(has(refused.out + refused.err, "hunter2"));
}

TEST_CASE("cli: a message that the quota refuses or drops ends with 5") {
  const Bench bench;
  bench.send("plant/x", "first");
  setenv("CLI_TEST_QUOTA_MESSAGES", "1", 1);
  const Outcome refused = bench.run({"send", bench.file(), "plant/x", "y", "--options-from", "CLI_TEST_"});
  setenv("CLI_TEST_QUOTA_WHEN_FULL", "drop_newest", 1);
  const Outcome dropped = bench.run({"send", bench.file(), "plant/x", "y", "--options-from", "CLI_TEST_"});
  unsetenv("CLI_TEST_QUOTA_MESSAGES");
  unsetenv("CLI_TEST_QUOTA_WHEN_FULL");
  CHECK(refused.code == 5);
  CHECK(has(refused.err, "quota"));
  CHECK(dropped.code == 5);
  CHECK(has(dropped.out, "dropped: the quota is used up"));
  CHECK(lines_in(bench.run({"list", bench.file()}).out) == 1);
}

TEST_CASE("cli: a file that another program keeps locked ends with 4, and nothing is added") {
  const Bench bench;
  bench.send("plant/x", "first");
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(bench.file().c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  setenv("CLI_TEST_BUSY_TIMEOUT_SECONDS", "0.05", 1);
  const Outcome busy = bench.run({"send", bench.file(), "plant/x", "y", "--options-from", "CLI_TEST_"});
  unsetenv("CLI_TEST_BUSY_TIMEOUT_SECONDS");
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  CHECK(busy.code == 4);
  CHECK_FALSE(busy.err.empty());
  CHECK(lines_in(bench.run({"list", bench.file()}).out) == 1);
}

TEST_CASE("cli: the relay ends when the time it was given is over, and says what still waits") {
  const Bench bench;
  bench.send("plant/x", "y");
  // Nobody sends on: a device without its network.
  const Outcome relayed = bench.run({"relay", bench.file(), "--sink", "stdout:", "--timeout", "300ms"});
  CHECK(relayed.code == 1);
  CHECK(has(relayed.out, "stopped: the time of --timeout is over"));
}
