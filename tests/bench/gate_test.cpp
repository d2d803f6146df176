// SPDX-License-Identifier: MIT
//
// The regression gate: what a message costs, in figures that do not depend on the machine or on how busy it
// is. Each limit is what was found when it was set, and a margin for other versions of the libraries and the
// compiler; whoever makes something dearer on purpose raises it, and says why.
#include "bench/system_call_count.hpp"
#include "support/child.hpp"
#include "support/programs.hpp"
#include "support/scripted_broker.hpp"
#include "support/temp_dir.hpp"

#include <satchel/features.hpp>

#include <doctest/doctest.h>

#include <sys/syscall.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kMessages = 1000;

std::string load_program() {
  const char* path = std::getenv("GATE_LOAD");
  REQUIRE_MESSAGE(path != nullptr, "GATE_LOAD names the program gate-load");
  return path;
}

std::vector<std::string> load_command(const std::string& role, std::size_t messages, int port = 0) {
  return {load_program(), role, std::to_string(messages), std::to_string(port)};
}

/// What the program counted, for each message.
std::map<std::string, double> costs(const std::string& role) {
  support::Child child{load_command(role, kMessages)};
  std::map<std::string, double> found;
  for (const std::string& line : child.lines()) {
    std::istringstream words{line};
    std::string name;
    double value = 0;
    if (words >> name >> value) found[name] = value / kMessages;
  }
  REQUIRE(child.wait() == 0);
  for (const auto& [name, value] : found) MESSAGE(role << ": " << value << " " << name << " a message");
  return found;
}

/// A broker that acknowledges a hundred messages at a time, so that every run sees the same packets.
class EvenBroker {
 public:
  explicit EvenBroker(std::size_t messages) : thread_{[this, messages] { serve(messages); }} {}
  ~EvenBroker() { thread_.join(); }
  EvenBroker(const EvenBroker&) = delete;
  EvenBroker& operator=(const EvenBroker&) = delete;
  std::uint16_t port() const noexcept { return broker_.port(); }

 private:
  void serve(std::size_t messages) {
    try {
      support::Peer peer = broker_.accept(std::chrono::minutes{1});
      peer.connect();
      peer.send(support::wire::connack());
      std::string acknowledgements;
      for (std::size_t count = 1; count <= messages; ++count) {
        acknowledgements += support::wire::puback(peer.publish().id);
        if (count % 100 != 0) continue;
        peer.send(acknowledgements);
        acknowledgements.clear();
      }
      peer.wait_closed();
    } catch (const std::exception&) {
      // The program that was to connect says what went wrong.
      return;
    }
  }

  support::ScriptedBroker broker_;
  std::thread thread_;
};

/// Of a message; 0 where they cannot be counted.
double system_calls(const std::vector<std::string>& command, const std::string& what) {
  try {
    const bench::SystemCallCount counted{command};
    const double each = static_cast<double>(counted.all()) / kMessages;
    std::string detail;
    for (const auto& [number, count] : counted.by_number())
      detail += " " + std::to_string(number) + ":" + std::to_string(count);
    MESSAGE(what << ": " << each << " system calls a message (number:count" << detail << ")");
    return each;
  } catch (const bench::NoTracing& problem) {
    MESSAGE(what << ": " << problem.what() << ", system calls are not counted");
    return 0;
  }
}

/// Instructions of a message, by callgrind.
[[maybe_unused]] double instructions(const std::string& role) {
  const support::TempDir directory;
  const std::string log = directory.path() + "/log";
  std::vector<std::string> command{support::find_program("valgrind"), "--tool=callgrind",
                                   "--toggle-collect=gate_counted_part",
                                   "--callgrind-out-file=" + directory.path() + "/out", "--log-file=" + log};
  for (const std::string& word : load_command(role, kMessages)) command.push_back(word);
  support::Child child{command};
  child.lines();
  REQUIRE(child.wait() == 0);
  std::ifstream lines{log};
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find("Collected : ");
    if (at == std::string::npos) continue;
    const double each = std::stod(line.substr(at + 12)) / kMessages;
    MESSAGE(role << ": " << each << " instructions a message");
    return each;
  }
  FAIL("callgrind said nothing");
  return 0;
}

/// A plan's line: it goes over all rows of something that is not small by nature.
bool scans_a_large_table(const std::string& line) {
  const auto at = line.find("SCAN ");
  if (at == std::string::npos) return false;
  std::string what = line.substr(at + 5);
  if (what.rfind("main.", 0) == 0) what.erase(0, 5);
  for (const char* small : {"CONSTANT", "(", "pragma_", "sqlite_schema", "satchel_identity", "satchel_boot",
                            "satchel_state", "satchel_counter", "satchel_dropped", "satchel_quota"}) {
    if (what.rfind(small, 0) == 0) return false;
  }
  return what.find("CONSTANT ROW") == std::string::npos;
}

}  // namespace

TEST_CASE("gate: a message alone in its transaction costs one sync, a page of the log and few allocations") {
  const auto cost = costs("enqueue");
  // One frame of 4 KiB and its header, and every fifteenth message a page more.
  CHECK(cost.at("bytes") <= 4700);
  CHECK(cost.at("bytes") >= 100);
  CHECK(cost.at("syncs") <= 1.05);
  CHECK(cost.at("syncs") >= 1);
  CHECK(cost.at("allocations") <= 14);
}

TEST_CASE("gate: draining a backlog costs a share of a batch: no sync, few bytes and allocations") {
  const auto cost = costs("drain");
  CHECK(cost.at("bytes") <= 400);
  CHECK(cost.at("bytes") > 0);
  CHECK(cost.at("syncs") <= 0.01);
  CHECK(cost.at("allocations") <= 8.5);
}

TEST_CASE("gate: a message that is enqueued, sent and recorded alone costs no second sync") {
  const auto cost = costs("live");
  CHECK(cost.at("bytes") <= 9300);
  CHECK(cost.at("bytes") >= 4000);
  CHECK(cost.at("syncs") <= 1.05);
  CHECK(cost.at("syncs") >= 1);
  CHECK(cost.at("allocations") <= 110);
}

TEST_CASE("gate: few system calls for enqueueing, and less than one for draining") {
  CHECK(system_calls(load_command("enqueue", kMessages), "enqueue") <= 15);
  CHECK(system_calls(load_command("drain", kMessages), "drain") <= 0.42);
  // Four of them mark the rounds of a relay that is stepped by hand; one with a thread marks them twice a
  // second.
  CHECK(system_calls(load_command("live", kMessages), "live") <= 56);
}

#if SATCHEL_HAVE_MQTT
TEST_CASE("gate: over MQTT a message costs what libmosquitto takes and little more") {
  const EvenBroker broker{kMessages};
  CHECK(system_calls(load_command("mqtt", kMessages, broker.port()), "mqtt") <= 6.3);
}
#endif

TEST_CASE("gate: no statement reads a table that grows from end to end") {
  // These may: they stop at a limit, or run once when a relay starts, or are asked for by a person.
  const std::vector<const char*> known{"SELECT count(*) FROM satchel_dead",
                                       "DELETE FROM satchel_attempt WHERE NOT EXISTS",
                                       // Stops at the first message that is not with a sink.
                                       "SELECT id FROM main.satchel_message NOT INDEXED WHERE topic <> ''",
                                       // Counts once what is there, where exact counts are switched on.
                                       "INSERT OR REPLACE INTO satchel_quota SELECT"};
  // What the policies must have asked, so that their plans are looked at.
  std::map<std::string, bool> policies{
      {"SELECT messages FROM main.satchel_quota WHERE priority = 0", false},
      {"SELECT priority, messages, bytes FROM main.satchel_quota", false},
      {"SELECT id, topic, priority, sequence FROM main.satchel_message INDEXED BY "
       "satchel_message_by_priority",
       false},
      {"SELECT id, topic, priority, sequence FROM main.satchel_message INDEXED BY satchel_message_by_key",
       false},
      {"SELECT id, topic, priority, sequence FROM main.satchel_message NOT INDEXED WHERE id > ?1", false},
      {"SELECT id, topic, priority, sequence, boot, created, ttl FROM main.satchel_message", false},
      {"SELECT boot, created, delay FROM satchel_message INDEXED BY satchel_message_by_delay", false},
      {"UPDATE main.satchel_dropped SET", false}};
  support::Child child{load_command("statements", 100)};
  std::string statement;
  std::size_t plans = 0;
  std::size_t inserts = 0;
  for (const std::string& line : child.lines()) {
    if (line.rfind("statement ", 0) == 0) {
      statement = line.substr(line.find(' ', 10) + 1);
      if (statement.rfind("INSERT INTO satchel_message", 0) == 0) ++inserts;
      for (auto& [start, found] : policies) found = found || statement.rfind(start, 0) == 0;
      continue;
    }
    ++plans;
    INFO("statement: " << statement);
    INFO("plan: " << line);
    bool expected = statement.find("LIMIT") != std::string::npos;
    for (const char* one : known) expected = expected || statement.rfind(one, 0) == 0;
    CHECK((!scans_a_large_table(line) || expected));
    CHECK((line.find("TEMP B-TREE") == std::string::npos || expected));
    CHECK(line.find("AUTOMATIC") == std::string::npos);
  }
  REQUIRE(child.wait() == 0);
  CHECK(plans > 20);
  CHECK(inserts > 0);
  for (const auto& one : policies) CHECK_MESSAGE(one.second, one.first);
}

#ifdef GATE_INSTRUCTIONS
TEST_CASE("gate: instructions of enqueueing and of draining") {
  if (support::find_program("valgrind").empty()) {
    MESSAGE("valgrind is not installed: instructions are not counted");
    return;
  }
  CHECK(instructions("enqueue") <= 36'500);
  CHECK(instructions("drain") <= 23'000);
  CHECK(instructions("live") <= 215'000);
}
#endif
