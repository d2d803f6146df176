// SPDX-License-Identifier: MIT
// The same application with an outbox and without one: one line differs. Usage: direct_bus outbox|direct FILE
// SINK-URL
#include <satchel/event_bus.hpp>
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

using namespace std::chrono_literals;

namespace {

struct Reading {
  using event_kind = satchel::IntegrationEvent;
  static constexpr std::string_view event_name = "reading";
  static constexpr std::string_view topic = "plant/{sensor}/reading";

  std::string sensor;
  double celsius = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(sensor), CEREAL_NVP(celsius));
  }
};

// The application: what it publishes through, it does not know.
void measure(const satchel::EventPublisher& events) {
  for (const double celsius : {70.5, 71.0, 71.5})
    events.publish(Reading{.sensor = "boiler", .celsius = celsius});
}

void with_outbox(const std::string& file, const std::string& url) {
  satchel::Outbox outbox{file};
  outbox.attach(url);
  outbox.start();
  satchel::OutboxEventBus bus{outbox};
  measure(satchel::EventPublisher{bus});
  // Committed; the relay delivers, now or after the next outage.
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (outbox.status().pending > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(10ms);
  outbox.stop(5s);
  std::cout << outbox.status().delivered << " delivered by the relay\n";
}

void without_outbox(const std::string& url) {
  satchel::DirectEventBus bus{satchel::make_sink(url)};
  measure(satchel::EventPublisher{bus});
  // Delivered; had the broker been away, publish would have thrown and the event would be lost.
  std::cout << "3 delivered directly\n";
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) throw std::invalid_argument{"usage: direct_bus outbox|direct FILE SINK-URL"};
  if (std::string_view{argv[1]} == "outbox") {
    with_outbox(argv[2], argv[3]);
  } else {
    without_outbox(argv[3]);
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
