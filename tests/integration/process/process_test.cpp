// SPDX-License-Identifier: MIT
//
// Real processes, really killed. What was acknowledged and what was received is kept outside of them.
#include "journal_sink.hpp"

#include "support/child.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using support::Child;

constexpr std::uint64_t kDuplicatesPerKill = 100 + 200;  // window and max_unsettled, as the child has them

Child start_child(const std::string& role, const std::string& database, const std::string& sink,
                  long first = 0, long count = 0) {
  return Child{{PROCESS_CHILD, role, database, sink, std::to_string(first), std::to_string(count)}};
}

struct Received {
  std::int64_t row;
  int attempts;
  std::string payload;
};

std::vector<Received> read_journal(const std::string& path) {
  std::vector<Received> all;
  std::ifstream file{path};
  Received one{};
  while (file >> one.row >> one.attempts >> one.payload) all.push_back(one);
  return all;
}

/// Delivers what is left, in this process.
void drain(satchel::Outbox& outbox, const std::string& journal) {
  outbox.attach(JournalSink{journal, 100});
  // What was in flight at the last kill is sent when this process has lived for a moment.
  while (outbox.status().pending > 0) {
    if (!outbox.run_once()) poll(nullptr, 0, 5);
  }
  REQUIRE(outbox.stop(std::chrono::seconds{10}));
}

std::set<long> business_rows(satchel::Outbox& outbox) {
  std::set<long> numbers;
  satchel::Transaction tx = outbox.begin();
  SQLite::Statement query{tx.database(), "SELECT number FROM business"};
  while (query.executeStep()) numbers.insert(static_cast<long>(query.getColumn(0).getInt64()));
  return numbers;
}

/// A named pipe that the children write to and the test reads, kept open so that writers come and go.
class Receiver {
 public:
  explicit Receiver(const std::string& path) {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    descriptor_ = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(descriptor_ != -1);
  }
  ~Receiver() { close(descriptor_); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// Takes lines until `total` different rows have arrived since the start; how often each did.
  const std::map<std::int64_t, int>& until(std::size_t total) {
    while (rows_.size() < total) {
      pollfd polled{descriptor_, POLLIN, 0};
      REQUIRE_MESSAGE(poll(&polled, 1, 60'000) == 1, "only ", rows_.size(), " of ", total, " arrived");
      char chunk[4096];
      const ssize_t got = read(descriptor_, chunk, sizeof chunk);
      if (got > 0) take(std::string(chunk, static_cast<std::size_t>(got)));
    }
    return rows_;
  }

 private:
  void take(const std::string& text) {
    buffer_ += text;
    for (std::size_t end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
      ++rows_[std::stoll(buffer_)];
      buffer_.erase(0, end + 1);
    }
  }

  int descriptor_ = -1;
  std::string buffer_;
  std::map<std::int64_t, int> rows_;
};

void expect_line(Child& child, const std::string& expected) {
  for (;;) {
    const auto line = child.line();
    REQUIRE_MESSAGE(line.has_value(), "the child ended before it said ", expected);
    if (*line == expected) return;
  }
}

int kills_wanted() {
  const char* text = std::getenv("TEST_KILLS");
  return text != nullptr ? std::stoi(text) : 100;
}

}  // namespace

TEST_CASE("process: kill -9 of a producing and relaying process loses nothing and invents nothing") {
  const support::TempDir directory;
  const std::string database = directory.path() + "/device.db";
  const std::string journal = directory.path() + "/journal";
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random{seed};
  const int kills = kills_wanted();
  std::set<long> acknowledged;
  for (int round = 0; round < kills; ++round) {
    Child child = start_child("both", database, "journal:" + journal, 1'000'000L * round, 100'000);
    expect_line(child, "ready");
    const auto lines = static_cast<unsigned>(random() % 200);
    for (unsigned line = 0; line < lines; ++line) child.line();
    child.kill();
    for (const std::string& line : child.lines()) {
      if (std::isdigit(static_cast<unsigned char>(line[0])) != 0) acknowledged.insert(std::stol(line));
    }
  }
  satchel::Outbox outbox{database};
  drain(outbox, journal);
  CHECK(outbox.status().pending == 0);
  CHECK(outbox.status().dead == 0);

  const std::set<long> committed = business_rows(outbox);
  std::map<long, std::int64_t> received;
  std::uint64_t duplicates = 0;
  std::set<std::int64_t> counted;
  std::int64_t last_even = 0;
  for (const Received& one : read_journal(journal)) {
    if (one.attempts > 0) counted.insert(one.row);
    if (!received.emplace(std::stol(one.payload), one.row).second) {
      ++duplicates;
      continue;
    }
    if (std::stol(one.payload) % 2 != 0) continue;
    CHECK_MESSAGE(one.row > last_even, "a message of the key came before an older one");
    last_even = one.row;
  }
  for (const long number : acknowledged)
    CHECK_MESSAGE(committed.count(number) == 1, "acknowledged and lost: ", number);
  for (const long number : committed)
    CHECK_MESSAGE(received.count(number) == 1, "committed and never received: ", number);
  for (const auto& one : received)
    CHECK_MESSAGE(committed.count(one.first) == 1, "never committed: ", one.first);
  CHECK(duplicates <= static_cast<std::uint64_t>(kills) * kDuplicatesPerKill);
  // A kill is an attempt of the message that was in flight alone; most meet several, which are not blamed.
  CHECK(counted.size() <= static_cast<std::size_t>(kills) / 10);
  MESSAGE(kills, " kills, ", committed.size(), " commits, ", duplicates, " duplicates");
}

TEST_CASE("process: of two relays on one file one delivers, and the other takes over when it is killed") {
  const support::TempDir directory;
  const std::string database = directory.path() + "/device.db";
  const std::string pipe = directory.path() + "/pipe";
  Receiver receiver{pipe};
  satchel::Outbox producer{database};
  Child leader = start_child("relay", database, "journal:" + pipe);
  expect_line(leader, "leading");
  Child standby = start_child("relay", database, "journal:" + pipe);
  expect_line(standby, "ready");
  for (int number = 0; number < 500; ++number) producer.enqueue({.topic = "t", .payload = "x"});
  for (const auto& one : receiver.until(500))
    CHECK_MESSAGE(one.second == 1, "row ", one.first, " came ", one.second, " times");

  const auto killed = std::chrono::steady_clock::now();
  leader.kill();
  expect_line(standby, "leading");
  const auto taken = std::chrono::steady_clock::now() - killed;
  MESSAGE("takeover after ", std::chrono::duration_cast<std::chrono::microseconds>(taken).count(), " us");
  // Without the event of the leader's end the standby would only look every few seconds.
  CHECK(taken < std::chrono::seconds{2});
  for (int number = 0; number < 100; ++number) producer.enqueue({.topic = "t", .payload = "x"});
  receiver.until(600);
  CHECK(producer.status().newest_row == 600);
}

TEST_CASE("process: only the message that kills the process becomes a dead letter") {
  const support::TempDir directory;
  const std::string database = directory.path() + "/device.db";
  const std::string journal = directory.path() + "/journal";
  constexpr int kMessages = 300;
  constexpr int kPoison = 50;
  {
    satchel::Outbox outbox{database};
    for (int number = 1; number <= kMessages; ++number) {
      outbox.enqueue({.topic = "t", .payload = number == kPoison ? "poison" : std::to_string(number)});
    }
  }
  int deaths = 0;
  for (bool given_up = false; !given_up;) {
    Child child = start_child("relay", database, "journal:" + journal);
    while (const auto line = child.line()) {
      if (*line != "dead " + std::to_string(kPoison)) continue;
      given_up = true;
      child.close_input();
    }
    const int status = child.wait();
    if (WIFSIGNALED(status)) ++deaths;
    REQUIRE(deaths <= 10);
  }
  // Once with a hundred in flight, which is nobody's fault, then max_attempts = 3 times alone.
  CHECK(deaths == 4);

  satchel::Outbox outbox{database};
  const auto dead = outbox.dead_letters();
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].message.payload == "poison");
  CHECK(dead[0].reason == satchel::DeadReason::crashed);
  CHECK(dead[0].attempts == 3);
  drain(outbox, journal);
  std::set<std::string> received;
  for (const Received& one : read_journal(journal)) received.insert(one.payload);
  CHECK(received.size() == kMessages - 1);
  CHECK(outbox.status().pending == 0);
}
