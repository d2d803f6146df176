// SPDX-License-Identifier: MIT
// One row and its message, together or not at all. Usage: quickstart FILE SINK-URL
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

// Waits until everything is delivered. A device would just go on with its work.
static bool wait_for_delivery(const satchel::Outbox& outbox, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (outbox.status().pending > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  return outbox.status().pending == 0;
}

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument{"usage: quickstart FILE SINK-URL"};
  satchel::Outbox outbox{argv[1]};  // opens or creates; WAL; migrates
  outbox.attach(argv[2]);           // or outbox.attach(satchel::MqttSink{{.host = "localhost"}})
  outbox.start();                   // the relay thread

  auto tx = outbox.begin();  // BEGIN IMMEDIATE
  tx.execute("CREATE TABLE IF NOT EXISTS reading(sensor TEXT, celsius REAL) STRICT");
  tx.execute("INSERT INTO reading(sensor, celsius) VALUES (?, ?)", "boiler", 71.5);
  tx.enqueue({.topic = "plant/boiler/temperature", .payload = "71.5"});
  tx.commit();  // both or neither; wakes the relay

  const bool delivered = wait_for_delivery(outbox, 10s);
  outbox.stop(5s);  // finishes what is in flight, then disconnects
  const satchel::Status status = outbox.status();
  std::cout << status.delivered << " delivered, " << status.pending << " pending\n";
  if (!delivered) std::cout << "it waits in " << argv[1] << ": " << status.sink_problem << "\n";
  return delivered ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
