// SPDX-License-Identifier: MIT
// The receiver's side: is everything there that was sent? Ids are gap-free, so a receiver can tell, and what
// the device dropped on purpose it announces. Usage: audit device FILE SINK-URL, which sends with a quota
// that is too small; audit receive, which reads "topic payload properties", as mosquitto_sub prints them.
#include <satchel/satchel.hpp>

#include <chrono>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

constexpr const char* kLosses = "device/losses";

void send(const char* file, const char* url) {
  satchel::Options options;
  options.quota = {.messages = 50, .when_full = satchel::WhenFull::drop_oldest};
  options.announce_topic = kLosses;
  satchel::Outbox outbox{file, options};
  outbox.attach(url);
  // Each transaction that drops something announces it.
  for (int number = 1; number <= 80;) {
    auto tx = outbox.begin();
    for (const int end = number + 20; number < end; ++number)
      tx.enqueue({.topic = "plant/boiler/temperature", .payload = std::to_string(number)});
    tx.commit();
  }
  outbox.start();
  while (outbox.status().pending > 0) std::this_thread::sleep_for(10ms);
  outbox.stop(5s);
}

// Of "satchel-id:<id> name:value ...", the id.
std::string id_in(const std::string& properties) {
  constexpr std::string_view name = "satchel-id:";
  const auto begin = properties.find(name);
  if (begin == std::string::npos) return {};
  return properties.substr(begin + name.size(), properties.find(' ', begin) - begin - name.size());
}

void receive() {
  satchel::Auditor auditor;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words{line};
    std::string topic;
    std::string payload;
    std::string properties;
    words >> topic >> payload;
    std::getline(words, properties);
    const std::string id = id_in(properties);
    if (const auto parsed = satchel::MessageId::parse(id)) auditor.begins(parsed->identity, 1);
    auditor.arrived(id);
    if (topic == kLosses && !auditor.announced(payload))
      std::cout << "not an announcement: " << payload << "\n";
  }
  const satchel::Auditor::Counts& counts = auditor.counts();
  std::cout << counts.first << " messages, " << counts.duplicates << " copies, " << counts.explained
            << " dropped and announced\n";
  for (const satchel::AuditGap& gap : auditor.missing())
    std::cout << "missing: " << gap.range.first << " to " << gap.range.last << "\n";
  if (auditor.missing().empty()) std::cout << "nothing is missing\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "device" && argc == 4) {
    send(argv[2], argv[3]);
  } else if (what == "receive" && argc == 2) {
    receive();
  } else {
    throw std::invalid_argument{"usage: audit device FILE SINK-URL | audit receive"};
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
