// SPDX-License-Identifier: MIT
//
// Processes killed for real, over a real broker and a real HTTP server. What was acknowledged is kept by the
// test and what was received by the receiver.
#define DOCTEST_CONFIG_IMPLEMENT
#include "support/broker.hpp"
#include "support/child.hpp"
#include "support/nginx.hpp"
#include "support/report.hpp"
#include "support/subscriber.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>

#include <poll.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using support::Child;
using support::Report;

// Window and max_unsettled, as the children have them.
constexpr std::int64_t kDuplicatesPerKill = 100 + 200;

/// What a child says when its relay takes over.
constexpr const char* kLeading = "leading";

/// A database with a process that produces and relays and one that relays only: whichever leads, the other
/// stands by.
class Device {
 public:
  Device(std::string database, std::string sink) : database_{std::move(database)}, sink_{std::move(sink)} {
    start_producer();
    start_relay();
  }

  void kill_producer() {
    producer_->kill();
    collect();
    ++kills;
    start_producer();
  }
  /// The same, and the next producer comes when the one that stood by leads.
  void pass_on() {
    producer_->kill();
    collect();
    ++kills;
    while (relay_->line().value() != kLeading) {
    }
    ++led_by_relay;
    start_producer();
  }
  void kill_relay() {
    end_relay();
    start_relay();
  }
  void kill_both() {
    producer_->signal(SIGKILL);
    end_relay();
    producer_->wait();
    collect();
    ++kills;
    start_producer();
    start_relay();
  }
  /// Lets the producer work until it has said some more lines.
  void work(unsigned lines) {
    for (unsigned line = 0; line < lines; ++line) note(producer_->line().value_or(""));
  }
  /// No more producing; the relay goes on.
  void finish() {
    producer_->kill();
    collect();
    ++kills;
  }

  long kills = 0;
  long led_by_relay = 0;                      ///< times that the process that stood by took over
  std::map<long, std::int64_t> acknowledged;  ///< business number and row id

 private:
  void start_producer() { producer_ = start("both", 1'000'000L * ++lives_, 100'000); }
  void start_relay() { relay_ = start("relay", 0, 0); }
  std::unique_ptr<Child> start(const std::string& role, long first, long count) {
    auto child = std::make_unique<Child>(std::vector<std::string>{
        PROCESS_CHILD, role, database_, sink_, std::to_string(first), std::to_string(count)});
    for (;;) {
      const auto line = child->line();
      REQUIRE_MESSAGE(line.has_value(), "the child ended before it was ready");
      if (*line == "ready") return child;
      if (*line == kLeading && role == "relay") ++led_by_relay;
    }
  }
  void end_relay() {
    relay_->kill();
    ++kills;
    for (const std::string& line : relay_->lines()) led_by_relay += line == kLeading ? 1 : 0;
  }
  void collect() {
    for (const std::string& line : producer_->lines()) note(line);
  }
  void note(const std::string& line) {
    const std::size_t blank = line.find(' ');
    if (line.empty() || std::isdigit(static_cast<unsigned char>(line[0])) == 0 || blank == std::string::npos)
      return;
    acknowledged[std::stol(line)] = std::stoll(line.substr(blank + 1));
  }

  const std::string database_;
  const std::string sink_;
  long lives_ = 0;
  std::unique_ptr<Child> producer_;
  std::unique_ptr<Child> relay_;
};

/// Kills at random moments until it are half of TEST_DEATHS, then lets the rest be delivered.
void live_and_die(Device& device, const std::string& database, std::mt19937& random) {
  const long wanted = support::size_from_environment("TEST_DEATHS", 1000) / 2;
  device.work(10);
  device.pass_on();
  while (device.kills < wanted) {
    device.work(static_cast<unsigned>(random() % 60));
    switch (random() % 3) {
      case 0:
        device.kill_producer();
        break;
      case 1:
        device.kill_relay();
        break;
      default:
        device.kill_both();
        break;
    }
  }
  device.finish();
  const satchel::Outbox outbox{database};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes{2};
  while (outbox.status().pending > 0) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    poll(nullptr, 0, 20);
  }
}

/// `received`: how often each row came. Every transaction wrote one row of the application and one message,
/// and no id is left out: so what was committed is known without the file's word for it.
void judge(const std::string& database, const Device& device, const std::map<std::int64_t, long>& received,
           const std::string& receiver) {
  satchel::Outbox outbox{database};
  CHECK(outbox.status().dead == 0);
  std::set<long> committed;
  {
    satchel::Transaction transaction = outbox.begin();
    SQLite::Statement rows{transaction.database(), "SELECT number FROM business"};
    while (rows.executeStep()) committed.insert(static_cast<long>(rows.getColumn(0).getInt64()));
  }
  const std::int64_t newest = outbox.status().newest_row;
  CHECK(newest == static_cast<std::int64_t>(committed.size()));
  long lost = 0;
  for (const auto& [number, row] : device.acknowledged) {
    if (!committed.contains(number) || !received.contains(row)) ++lost;
  }
  for (std::int64_t row = 1; row <= newest; ++row) {
    if (!received.contains(row)) ++lost;
  }
  long invented = 0;
  long duplicates = 0;
  for (const auto& [row, times] : received) {
    if (row < 1 || row > newest) ++invented;
    duplicates += times - 1;
  }
  CHECK(lost == 0);
  CHECK(invented == 0);
  CHECK(duplicates <= device.kills * kDuplicatesPerKill);
  CHECK(device.led_by_relay > 0);
  Report report{"process death", "kill -9 of producer, relay and both, with a standby, to " + receiver};
  report.figure("kills", device.kills);
  report.figure("times that the one that stood by took over", device.led_by_relay);
  report.figure("commits", committed.size());
  report.figure("acknowledged", device.acknowledged.size());
  report.figure("lost", lost);
  report.figure("invented", invented);
  report.figure("duplicates", duplicates);
  report.figure("duplicates allowed", device.kills * kDuplicatesPerKill);
}

std::int64_t row_of(const std::string& text) {
  const auto id = satchel::MessageId::parse(text);
  REQUIRE_MESSAGE(id.has_value(), "no message id: ", text);
  return id->row;
}

TEST_CASE("death: nothing is lost or invented on the way to a broker") {
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random{seed};
  const support::TempDir directory;
  const std::string database = directory.path() + "/device.db";
  support::Broker broker;
  support::Subscriber subscriber{broker.port()};
  Device device{database, "mqtt://127.0.0.1:" + std::to_string(broker.port())};
  live_and_die(device, database, random);
  const satchel::Outbox outbox{database};
  std::map<std::int64_t, long> received;
  std::size_t seen = 0;
  const auto newest = static_cast<std::size_t>(outbox.status().newest_row);
  while (received.size() < newest) {
    const auto all = subscriber.wait(std::max(seen + 1, newest), std::chrono::seconds{20});
    REQUIRE_MESSAGE(all.size() > seen, received.size(), " of ", newest, " rows came");
    for (; seen < all.size(); ++seen) ++received[row_of(all[seen].property("satchel-id"))];
  }
  judge(database, device, received, "mosquitto");
}

TEST_CASE("death: nothing is lost or invented on the way to an HTTP server") {
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random{seed};
  const support::TempDir directory;
  const std::string database = directory.path() + "/device.db";
  const support::Nginx nginx;
  Device device{database, nginx.url("/count/t")};
  live_and_die(device, database, random);
  std::map<std::int64_t, long> received;
  for (const std::string& line : nginx.log()) {
    const std::string mark = "\"id\":\"";
    const std::size_t at = line.find(mark);
    // A client that was killed before it had written its request leaves a line without one.
    if (at == std::string::npos || line.find("\"status\":\"204\"") == std::string::npos) continue;
    const std::string id = line.substr(at + mark.size(), line.find('"', at + mark.size()) - at - mark.size());
    ++received[row_of(id)];
  }
  judge(database, device, received, "nginx");
}

}  // namespace

int main(int count, char** arguments) { return support::run_and_report(count, arguments); }
