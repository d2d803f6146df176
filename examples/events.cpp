// SPDX-License-Identifier: MIT
// Typed events: one for handlers in this process, one for the rest of the plant. Usage: events FILE SINK-URL
#include <satchel/aggregate.hpp>
#include <satchel/event.hpp>
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// Stays in the process: its handlers run inside the transaction.
struct Overheated {
  using event_kind = satchel::DomainEvent;
  static constexpr std::string_view event_name = "overheated";

  std::string line;
  double celsius = 0;
};

// Leaves the device: becomes a message.
struct LineStopped {
  using event_kind = satchel::IntegrationEvent;
  static constexpr std::string_view event_name = "line-stopped";
  static constexpr int event_version = 2;
  static constexpr std::string_view topic = "plant/{line}/stopped";
  static constexpr std::string_view key = "{line}";

  std::string line;
  double celsius = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(line), CEREAL_NVP(celsius));
  }
};

// A business object that notes what happened to it.
class Line : public satchel::Aggregate {
 public:
  explicit Line(std::string name) : name_{std::move(name)} {}

  void measure(double celsius) {
    if (celsius > 100) record(Overheated{.line = name_, .celsius = celsius});
  }

 private:
  std::string name_;
};

void stop_line(const Overheated& event, satchel::Transaction& tx) {
  if (event.celsius > 1000) throw std::runtime_error{"a broken sensor"};
  tx.execute("INSERT INTO stop(line, celsius) VALUES (?, ?)", event.line, event.celsius);
  tx.publish(LineStopped{.line = event.line, .celsius = event.celsius});
}

void measure(satchel::Outbox& outbox, Line& line, double celsius) {
  satchel::Transaction tx = outbox.begin();
  line.measure(celsius);
  tx.collect(line);
  tx.commit();  // calls the handlers, then commits all or nothing
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument{"usage: events FILE SINK-URL"};
  satchel::Outbox outbox{argv[1], satchel::Options::from_environment()};
  outbox.attach(argv[2]);
  outbox.subscribe<Overheated>(stop_line);
  outbox.add_propagator([](std::vector<satchel::Header>& headers) {
    headers.push_back({"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
  });
  satchel::Transaction setup = outbox.begin();
  setup.execute("CREATE TABLE IF NOT EXISTS stop(line TEXT, celsius REAL)");
  setup.commit();

  Line boiler{"boiler"};
  measure(outbox, boiler, 71.5);
  measure(outbox, boiler, 104.5);
  try {
    measure(outbox, boiler, 5000);
  } catch (const std::runtime_error& error) {
    std::cout << "rolled back: " << error.what() << "\n";
  }

  // What a receiver does with the payload, whoever sent it.
  const auto event =
      satchel::decode<LineStopped>(R"({"line": "boiler", "celsius": 104.5})", "application/json");
  std::cout << "a receiver reads " << event.line << " " << event.celsius << "\n";

  outbox.start();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (outbox.status().pending > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(10ms);
  const bool done = outbox.stop(5s);
  const satchel::Status status = outbox.status();
  std::cout << status.newest_row << " message, " << status.delivered << " delivered\n";
  return done ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
