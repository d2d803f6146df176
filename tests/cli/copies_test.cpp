// SPDX-License-Identifier: MIT
//
// What the program copies: messages as lines of JSON, and whole files.
#include "cli/program.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using cli_test::Bench;
using cli_test::has;
using cli_test::lines_in;
using cli_test::Outcome;

namespace {

/// Messages as `import` takes them.
std::string lines_of(int messages) {
  std::string lines;
  for (int number = 0; number < messages; ++number)
    lines += "{\"topic\":\"plant/" + std::to_string(number) + "\"}\n";
  return lines;
}

}  // namespace

TEST_CASE("cli: what was exported is imported with its payload, key and headers") {
  const Bench bench;
  cli_test::write_file(bench.file("payload"), std::string{"\0\x80", 2});
  bench.send("plant/raw", "", {"--payload-file", bench.file("payload")});
  bench.send("plant/lamp", "{\"on\":true}",
             {"--key", "lamp", "--content-type", "application/json", "--header", "a=b"});
  const std::string exported = bench.run({"export", bench.file()}).out;
  CHECK(lines_in(exported) == 2);
  const Bench other;
  other.send("first", "x");
  const Outcome imported = other.run({"import", other.file(), "-"}, exported);
  CHECK(imported.code == 0);
  CHECK(has(imported.out, "2 messages were added"));
  CHECK(other.run({"show", other.file(), "2", "--payload"}).out == std::string{"\0\x80", 2});
  const std::string lamp = other.run({"show", other.file(), "3", "--json"}).out;
  CHECK(
      has(lamp, "\"payload\":\"{\\\"on\\\":true}\",\"key\":\"lamp\",\"content_type\":\"application/json\""));
  CHECK(has(lamp, "\"headers\":{\"a\":\"b\"}"));
}

TEST_CASE("cli: a delay and limits of attempts of its own travel with a message that is exported") {
  const Bench bench;
  bench.send("first", "x", {"--not-before", "1h"});
  const std::string wanted =
      "\"not_before_ms\":7200000,\"retry\":{\"max_attempts\":3,\"max_age_ms\":60000,\"backoff_ms\":100,"
      "\"backoff_factor\":1.5,\"backoff_cap_ms\":5000}";
  CHECK(bench.run({"import", bench.file(), "-"}, "{\"topic\":\"plant/x\"," + wanted + "}\n").code == 0);
  const std::string exported = bench.run({"export", bench.file()}).out;
  CHECK(has(exported, "\"not_before_ms\":3600000"));
  CHECK(has(exported, wanted));
  const Bench other;
  other.send("first", "x");
  CHECK(other.run({"import", other.file(), "-"}, exported).code == 0);
  CHECK(has(other.run({"show", other.file(), "3", "--json"}).out, wanted));
  for (const char* part : {"\"not_before_ms\":\"1h\"", "\"retry\":3", "\"retry\":{\"max_attempts\":\"3\"}",
                           "\"retry\":{\"backoff_ms\":1,\"backoff_factor\":\"2\"}"}) {
    CHECK_MESSAGE(
        other.run({"import", other.file(), "-"}, "{\"topic\":\"t\"," + std::string{part} + "}\n").code == 5,
        part);
  }
}

TEST_CASE("cli: a file with a bad line is refused as a whole, and the line is named") {
  const Bench bench;
  bench.send("plant/x", "y");
  cli_test::write_file(bench.file("lines"), "{\"topic\":\"plant/a\"}\n{\"payload\":\"no topic\"}\n");
  const Outcome outcome = bench.run({"import", bench.file(), bench.file("lines")});
  CHECK(outcome.code == 5);
  CHECK(has(outcome.err, "read line 2: no \"topic\""));
  CHECK(lines_in(bench.run({"list", bench.file()}).out) == 1);
  for (const char* line : {"[1]", "{", "{\"topic\":3}", "{\"topic\":\"t\",\"payload_base64\":\"?\"}",
                           "{\"topic\":\"t\",\"headers\":[]}", "{\"topic\":\"t\",\"priority\":\"high\"}"}) {
    CHECK_MESSAGE(bench.run({"import", bench.file(), "-"}, std::string{line} + "\n").code == 5, line);
  }
}

TEST_CASE("cli: a file with a message that the outbox refuses is refused as a whole, and the line is named") {
  const Bench bench;
  bench.send("plant/x", "y");
  const std::string sound = lines_of(1500);
  const std::string large = "{\"topic\":\"t\",\"payload\":\"" + std::string((1U << 20U) + 1, 'x') + "\"}\n";
  for (const std::string& bad : {std::string{"{\"topic\":\"plant/#\"}\n"}, large}) {
    cli_test::write_file(bench.file("lines"), sound + bad);
    const Outcome outcome = bench.run({"import", bench.file(), bench.file("lines")});
    CHECK(outcome.code == 5);
    CHECK(has(outcome.err, "read line 1501: "));
    CHECK(lines_in(bench.run({"list", bench.file()}).out) == 1);
    // What can be read only once is taken up to that batch.
    const Bench other;
    other.send("plant/x", "y");
    const Outcome read_once = other.run({"import", other.file(), "-"}, sound + bad);
    CHECK(read_once.code == 5);
    CHECK(has(read_once.out, "1,000 messages were added before"));
    CHECK(has(read_once.err, "read line 1501: "));
  }
  cli_test::write_file(bench.file("lines"), sound);
  CHECK(has(bench.run({"import", bench.file(), bench.file("lines")}).out, "1,500 messages were added"));
}

TEST_CASE("cli: messages for which the quota has no room are counted apart when they are imported") {
  const Bench bench;
  bench.send("plant/x", "y");
  cli_test::write_file(bench.file("lines"), lines_of(5));
  setenv("CLI_TEST_QUOTA_MESSAGES", "3", 1);
  // Nothing was added, and that is said also when the file as a whole was tried first.
  for (const std::string& source : {bench.file("lines"), std::string{"-"}}) {
    const Outcome refused =
        bench.run({"import", bench.file(), source, "--options-from", "CLI_TEST_"}, lines_of(5));
    CHECK(refused.code == 5);
    CHECK(has(refused.out, "it failed; 0 messages were added before"));
    CHECK(has(refused.err, "quota"));
    CHECK(lines_in(bench.run({"list", bench.file()}).out) == 1);
  }
  setenv("CLI_TEST_QUOTA_WHEN_FULL", "drop_newest", 1);
  const Outcome dropped =
      bench.run({"import", bench.file(), bench.file("lines"), "--options-from", "CLI_TEST_"});
  const Outcome failed = bench.run({"import", bench.file(), "-", "--options-from", "CLI_TEST_"},
                                   lines_of(1000) + "{\"topic\":3}\n");
  unsetenv("CLI_TEST_QUOTA_MESSAGES");
  unsetenv("CLI_TEST_QUOTA_WHEN_FULL");
  CHECK(dropped.code == 5);
  CHECK(has(dropped.out, "2 messages were added\n"));
  CHECK(has(dropped.out, "3 messages were dropped: the quota is used up\n"));
  CHECK(lines_in(bench.run({"list", bench.file()}).out) == 3);
  CHECK(failed.code == 5);
  CHECK(has(failed.out, "it failed; 0 messages were added before\n"));
  CHECK(has(failed.out, "1,000 messages were dropped: the quota is used up\n"));
  CHECK(has(failed.err, "read line 1001: "));
}

TEST_CASE("cli: messages are imported from a pipe that has a name") {
  const Bench bench;
  bench.send("plant/x", "y");
  const std::string pipe = bench.file("pipe");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer{[&pipe] {
    const int fd = open(pipe.c_str(), O_WRONLY | O_CLOEXEC);
    const std::string lines = lines_of(1500);
    CHECK(write(fd, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
    close(fd);
  }};
  const Outcome imported = bench.run({"import", bench.file(), pipe});
  // Lets the writer go on where nobody has come to read: all of it fits into a pipe.
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  writer.join();
  close(reader);
  CHECK(imported.code == 0);
  CHECK(has(imported.out, "1,500 messages were added"));
  CHECK(lines_in(bench.run({"list", bench.file(), "--limit", "2000"}).out) == 1501);
}

TEST_CASE("cli: a backup is a whole outbox of its own, for its owner alone, and never over a file") {
  const Bench bench;
  bench.send("plant/x", "kept");
  const Outcome made = bench.run({"backup", bench.file(), bench.file("copy.db")});
  CHECK(made.code == 0);
  CHECK(has(made.out, "1 message, 0 dead letters"));
  for (const std::string beside : {"-wal", "-shm", "-journal", "-relay", ".part"})
    CHECK_MESSAGE(access(bench.file("copy.db" + beside).c_str(), F_OK) != 0, beside);
  CHECK(bench.run({"show", bench.file("copy.db"), "1", "--payload"}).out == "kept");
  struct stat status {};
  REQUIRE(stat(bench.file("copy.db").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  const Outcome again = bench.run({"backup", bench.file(), bench.file("copy.db")});
  CHECK(again.code == 3);
  CHECK(has(again.err, "the file exists"));
}

TEST_CASE(
    "cli: a backup that is put back as it is told is sound, holds what the copy held, and gives no id "
    "again") {
  const Bench bench;
  std::vector<std::string> ids;
  for (const char* payload : {"one", "two", "three"}) ids.push_back(bench.send("plant/x", payload));
  const Outcome made = bench.run({"backup", bench.file(), bench.file("copy.db")});
  REQUIRE(made.code == 0);
  CHECK(has(made.out, "stop the application"));
  CHECK(has(made.out, "delete " + bench.file() + "-wal and " + bench.file() + "-shm"));
  CHECK(has(made.out, "keep " + bench.file() + "-relay"));
  // As many that the log is longer than what the copy takes over.
  std::string later;
  for (int number = 0; number < 50; ++number) later = bench.send("plant/x", std::string(3000, 'x'));
  REQUIRE(std::filesystem::file_size(bench.file() + "-wal") > 0);

  std::filesystem::remove(bench.file() + "-wal");
  std::filesystem::remove(bench.file() + "-shm");
  std::filesystem::copy_file(bench.file("copy.db"), bench.file(),
                             std::filesystem::copy_options::overwrite_existing);
  const Outcome checked = bench.run({"check", bench.file()});
  CHECK(checked.code == 0);
  CHECK(has(checked.out, "sound, read from end to end"));
  CHECK(has(bench.run({"status", bench.file(), "--json"}).out, "\"pending\":3,"));
  CHECK(lines_in(bench.run({"list", bench.file()}).out) == 3);
  for (const std::string& id : ids) CHECK(bench.run({"show", bench.file(), id}).code == 0);
  // Row 4 was given before, under the identity of then.
  const std::string next = bench.send("plant/x", "four");
  CHECK(next.substr(next.rfind('-')) == "-4");
  CHECK(next.substr(0, next.rfind('-')) != later.substr(0, later.rfind('-')));
}
