// SPDX-License-Identifier: MIT
// An application that has a connection of its own keeps it, and enqueues there. Usage: own_connection FILE
// SINK-URL
#include <satchel/satchel.hpp>

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

namespace {

// What the application was before satchel: a class around its database.
class Readings {
 public:
  explicit Readings(const char* path) : database_{path, SQLite::OPEN_READWRITE, 5000} {
    database_.exec("PRAGMA wal_autocheckpoint = 0");  // the relay does that
    database_.exec("CREATE TABLE IF NOT EXISTS reading(sensor TEXT, celsius REAL) STRICT");
  }

  void add(const std::string& sensor, double celsius) {
    {
      const auto gate = writer_.gate();  // in turn with the relay and all other threads
      // Immediate: a transaction that reads first and writes later may fail, and no timeout helps.
      SQLite::Transaction tx{database_, SQLite::TransactionBehavior::IMMEDIATE};
      insert(sensor, celsius);
      writer_.enqueue({.topic = "plant/" + sensor, .payload = std::to_string(celsius)});
      alarm_if_hot(sensor, celsius);
      tx.commit();
    }
    writer_.committed();  // wakes the relay
  }

 private:
  void insert(const std::string& sensor, double celsius) {
    SQLite::Statement row{database_, "INSERT INTO reading(sensor, celsius) VALUES (?, ?)"};
    row.bind(1, sensor);
    row.bind(2, celsius);
    row.exec();
  }

  // A savepoint takes its messages back with its rows.
  void alarm_if_hot(const std::string& sensor, double celsius) {
    database_.exec("SAVEPOINT alarm");
    writer_.enqueue({.topic = "alarm/" + sensor, .payload = "hot"});
    if (celsius < 90) database_.exec("ROLLBACK TO alarm");
    database_.exec("RELEASE alarm");
  }

  SQLite::Database database_;
  satchel::Writer writer_{database_};  // after the connection, so that it is gone before it
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument{"usage: own_connection FILE SINK-URL"};
  satchel::Outbox outbox{argv[1]};  // makes the tables; here it is the relay, and could be in another process
  outbox.attach(argv[2]);
  outbox.start();

  Readings readings{argv[1]};
  readings.add("boiler", 71.5);
  readings.add("oven", 230);

  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (outbox.status().pending > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  outbox.stop(5s);
  std::cout << outbox.status().delivered << " delivered\n";
  return outbox.status().pending == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
