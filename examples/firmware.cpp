// SPDX-License-Identifier: MIT
// A device that samples a sensor until it is told to end (SIGTERM, SIGINT). Every sample is a row of its own
// table and a message, in one transaction. While the broker is down sampling goes on and the messages wait in
// the file, also over a restart. Usage: firmware FILE SINK-URL [INTERVAL-MS [SAMPLES]]
#include <satchel/satchel.hpp>

#include <algorithm>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <random>
#include <string>

namespace {

using Milliseconds = std::chrono::milliseconds;

// Stands for the hardware: a boiler whose temperature wanders.
class Sensor {
 public:
  double celsius() { return celsius_ += step_(random_); }

 private:
  std::mt19937 random_{std::random_device{}()};
  std::uniform_real_distribution<double> step_{-0.25, 0.25};
  double celsius_ = 71.5;
};

// What somebody should know about goes to the log.
class Log final : public satchel::Observer {
 public:
  void sink_up(const std::string& sink) noexcept override { std::cout << sink + " is up\n"; }
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 Milliseconds) noexcept override {
    std::cout << sink + (alarm ? " needs attention: " : " is down: ") + reason + "\n";
  }
  void died(const satchel::MessageId& id, satchel::DeadReason, const std::string& error) noexcept override {
    std::cout << "dead letter " + id.to_string() + ": " + error + "\n";
  }
};

// Blocked in every thread, the signals are taken up where the program waits, so there is no handler.
sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

bool end_asked_within(const sigset_t& signals, Milliseconds time) {
  const timespec limit{time.count() / 1000, time.count() % 1000 * 1'000'000};
  return sigtimedwait(&signals, nullptr, &limit) > 0;
}

void create_table(satchel::Outbox& outbox) {
  auto tx = outbox.begin();
  tx.execute("CREATE TABLE IF NOT EXISTS reading(id INTEGER PRIMARY KEY, celsius REAL NOT NULL) STRICT");
  tx.commit();
}

void store_and_send(satchel::Outbox& outbox, double celsius) {
  auto tx = outbox.begin();
  tx.execute("INSERT INTO reading(celsius) VALUES (?)", celsius);
  const auto id = std::to_string(tx.database().getLastInsertRowid());
  tx.enqueue({.topic = "plant/boiler/reading",
              .payload = R"({"reading":)" + id + R"(,"celsius":)" + std::to_string(celsius) + "}",
              .key = "boiler",
              .content_type = "application/json"});
  tx.commit();
}

void show_status(satchel::Outbox& outbox) {
  const satchel::Status status = outbox.status();
  const int rows = outbox.begin().database().execAndGet("SELECT count(*) FROM reading").getInt();
  std::cout << "status: " << rows << " rows, " << status.delivered << " delivered, " << status.pending
            << " pending, " << status.dead << " dead, sink " << to_string(status.sink) << "\n";
}

void run(const char* path, const char* url, Milliseconds interval, long samples) {
  const sigset_t end_signals = block_end_signals();
  satchel::Outbox outbox{path, {.observer = std::make_shared<Log>()}};
  outbox.attach(url);
  create_table(outbox);
  outbox.start();

  Sensor sensor;
  const long samples_a_second = 1 + 1000 / static_cast<long>(interval.count());
  for (long round = 0; !end_asked_within(end_signals, interval); ++round) try {
      if (round < samples) store_and_send(outbox, sensor.celsius());
      if (round % samples_a_second == 0) show_status(outbox);
    } catch (
        const satchel::StorageError& error) {  // costs this sample, row and message, but not the next one
      std::cout << "sample lost: " << error.what() << "\n";
    }
  outbox.stop(std::chrono::seconds{5});  // what has no receipt by then is sent after the next start
  show_status(outbox);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: firmware FILE SINK-URL [INTERVAL-MS [SAMPLES]]\n";
    return 2;
  }
  std::cout << std::unitbuf;
  try {
    const long interval = argc > 3 ? std::max(1L, std::atol(argv[3])) : 1000;
    run(argv[1], argv[2], Milliseconds{interval}, argc > 4 ? std::atol(argv[4]) : LONG_MAX);
  } catch (const satchel::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
