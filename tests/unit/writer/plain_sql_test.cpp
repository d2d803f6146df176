// SPDX-License-Identifier: MIT
//
// Messages that other programs insert with plain SQL, in processes of their own.
#include "support/child.hpp"
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

using satchel::Outbox;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::Child;

/// The program's path; empty, with a message, when it is not installed.
std::string program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders{path == nullptr ? "/usr/bin:/bin" : path};
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string file = folder + "/" + name;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  MESSAGE("skipped: " << name << " is not installed");
  return {};
}

struct Fixture {
  explicit Fixture(milliseconds interval = milliseconds{1000}) {
    satchel::Options options;
    options.external_writers = true;
    options.polling_interval = interval;
    outbox = std::make_unique<Outbox>(path, options);
    outbox->attach(support::EchoSink{echo});
    outbox->start();
  }
  support::TempDir directory;
  std::string path = directory.path() + "/device.db";
  std::shared_ptr<support::Echo> echo = std::make_shared<support::Echo>();
  std::unique_ptr<Outbox> outbox;
};

bool succeeded(Child& child) {
  const int status = child.wait();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("plain SQL: the example's trigger and insert from the sqlite3 shell are relayed in order") {
  const std::string shell = program("sqlite3");
  if (shell.empty()) return;
  Fixture fixture;
  Child child{{shell, "-bail", fixture.path, ".read " SQL_TRIGGER}};
  REQUIRE(succeeded(child));
  REQUIRE(fixture.echo->wait_for(3));
  std::string press;
  std::string count;
  for (const satchel::Delivery& delivery : fixture.echo->taken()) {
    CHECK(delivery.id.identity == fixture.outbox->identity());
    if (delivery.topic == "plant/press/alarm") {
      CHECK(delivery.key == "press");
      CHECK(delivery.content_type == "application/json");
      press += delivery.payload;
    } else {
      count += delivery.topic + "=" + delivery.payload;
    }
  }
  CHECK(press == R"({"alarm":1,"text":"guard open"}{"alarm":2,"text":"guard closed"})");
  CHECK(count == "plant/press/count=12");
}

TEST_CASE("plain SQL: the relay looks within a polling interval, and much sooner where it is told") {
  const std::string shell = program("sqlite3");
  if (shell.empty()) return;
  // The fallback alone would take a minute.
  Fixture fixture{milliseconds{60'000}};
  Child child{{shell, fixture.path,
               "PRAGMA wal_autocheckpoint = 0; PRAGMA busy_timeout = 5000; INSERT INTO "
               "satchel_message(topic, payload) VALUES ('t', 'x');"}};
  REQUIRE(succeeded(child));
  const auto before = std::chrono::steady_clock::now();
  REQUIRE(fixture.echo->wait_for(1));
  CHECK(std::chrono::steady_clock::now() - before < seconds{30});
}

TEST_CASE("plain SQL: text and blob from Python arrive as the same bytes") {
  const std::string python = program("python3");
  if (python.empty()) return;
  Fixture fixture;
  const std::string script =
      "import sqlite3, sys\n"
      "db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
      "db.execute('PRAGMA wal_autocheckpoint = 0')\n"
      "db.execute('BEGIN IMMEDIATE')\n"
      "insert = 'INSERT INTO satchel_message(topic, payload, headers) VALUES (?, ?, ?)'\n"
      "db.execute(insert, ('text', 'caf\\u00e9', '{\"a\": \"b\"}'))\n"
      "db.execute(insert, ('blob', 'caf\\u00e9'.encode(), None))\n"
      "db.execute(insert, ('empty', b'', None))\n"
      "db.execute('COMMIT')\n"
      "try:\n"
      "    db.execute(insert, ('number', 71.5, None))\n"
      "except sqlite3.IntegrityError:\n"
      "    sys.exit(0)\n"
      "sys.exit(1)\n";
  Child child{{python, "-c", script, fixture.path}};
  // A number as payload was refused at once, and not later by the relay.
  REQUIRE(succeeded(child));
  REQUIRE(fixture.echo->wait_for(3));
  const auto taken = fixture.echo->taken();
  CHECK(taken[0].payload == "caf\xc3\xa9");
  CHECK(taken[0].headers == std::vector<satchel::Header>{{"a", "b"}});
  CHECK(taken[1].payload == "caf\xc3\xa9");
  CHECK(taken[2].payload.empty());
}

TEST_CASE("plain SQL: a transaction that the other program rolls back sends nothing") {
  const std::string shell = program("sqlite3");
  if (shell.empty()) return;
  Fixture fixture;
  Child child{{shell, fixture.path,
               "PRAGMA wal_autocheckpoint = 0; PRAGMA busy_timeout = 5000;"
               "BEGIN; INSERT INTO satchel_message(topic, payload) VALUES ('t', 'no'); ROLLBACK;"
               "INSERT INTO satchel_message(topic, payload) VALUES ('t', 'yes');"}};
  REQUIRE(succeeded(child));
  REQUIRE(fixture.echo->wait_for(1));
  CHECK(fixture.echo->payloads() == std::vector<std::string>{"yes"});
}
