// SPDX-License-Identifier: MIT
// The device loses power right after its commit. Writing to the database and to the network one after the
// other loses the message; with an outbox it is sent when the device is up again. Usage: lost_message
// DIRECTORY
#include <satchel/satchel.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {

const char* const kCreateTable = "CREATE TABLE IF NOT EXISTS reading(sensor TEXT, celsius REAL) STRICT";
const char* const kCountRows = "SELECT count(*) FROM reading";

// Stands for the network: what was published is a line of a file.
class Network {
 public:
  explicit Network(std::string path) : path_{std::move(path)} {}
  void publish(const std::string& topic, const std::string& payload) {
    std::ofstream{path_, std::ios::app} << topic << ' ' << payload << '\n';
  }
  std::ptrdiff_t arrived() const {
    std::ifstream file{path_};
    return std::count(std::istreambuf_iterator<char>{file}, {}, '\n');
  }

 private:
  std::string path_;
};

// A sink of one's own: says that everything arrived as soon as it is written.
class NetworkSink final : public satchel::Sink {
 public:
  explicit NetworkSink(Network& network) : network_{&network} {}
  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    std::vector<satchel::Receipt> receipts;
    for (const auto& delivery : batch) {
      network_->publish(delivery.topic, delivery.payload);
      receipts.push_back({.claim = delivery.claim});
    }
    events_->receipts(std::move(receipts));
  }
  void reset() override {}
  void stop(std::chrono::milliseconds) noexcept override {}
  std::size_t capacity() const noexcept override { return 100; }
  std::string name() const override { return "network:"; }

 private:
  Network* network_;
  satchel::SinkEvents* events_ = nullptr;
};

void create_table(satchel::Outbox& outbox) {
  auto tx = outbox.begin();
  tx.execute(kCreateTable);
  tx.commit();
}

void power_cut() { _exit(0); }

void store_then_publish(SQLite::Database& database, Network& network) {
  SQLite::Transaction tx{database};
  database.exec("INSERT INTO reading(sensor, celsius) VALUES ('boiler', 71.5)");
  tx.commit();
  power_cut();  // the row is there, the message will never be
  network.publish("plant/boiler/temperature", "71.5");
}

void store_and_enqueue(satchel::Outbox& outbox) {
  auto tx = outbox.begin();
  tx.execute("INSERT INTO reading(sensor, celsius) VALUES (?, ?)", "boiler", 71.5);
  tx.enqueue({.topic = "plant/boiler/temperature", .payload = "71.5"});
  tx.commit();
  power_cut();  // the row is there, and so is the message: the relay sends it after the restart
}

// The device until its power is cut.
void first_life(const std::function<void()>& work) {
  const pid_t device = fork();
  if (device == 0) work();
  waitpid(device, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string directory = argv[1];
  Network network{directory + "/network"};

  first_life([&] {
    SQLite::Database database{directory + "/plain.db", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    database.exec(kCreateTable);
    store_then_publish(database, network);
  });
  const int plain_rows = SQLite::Database{directory + "/plain.db"}.execAndGet(kCountRows).getInt();
  const bool lost = plain_rows == 1 && network.arrived() == 0;
  std::cout << "store, then publish: rows " << plain_rows << ", messages " << network.arrived() << "\n";

  first_life([&] {
    satchel::Outbox outbox{directory + "/outbox.db"};
    create_table(outbox);
    store_and_enqueue(outbox);
  });
  satchel::Outbox outbox{directory + "/outbox.db"};  // the second life
  outbox.attach(NetworkSink{network});
  while (outbox.status().delivered == 0) outbox.run_once();
  const int rows = outbox.begin().database().execAndGet(kCountRows).getInt();
  std::cout << "store and enqueue:   rows " << rows << ", messages " << network.arrived() << "\n";
  return lost && rows == 1 && network.arrived() == 1 ? 0 : 1;
}
