// SPDX-License-Identifier: MIT
// A sink of one's own in a few lines: here a file stands for a serial line. It is out of order at first, so
// the messages wait, and one message is more than it can ever take. Usage: custom_sink DIRECTORY
#include <satchel/custom_sink.hpp>
#include <satchel/satchel.hpp>

#include <chrono>
#include <cstddef>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

/// Takes short lines, when it works.
class SerialLine {
 public:
  static constexpr std::size_t kLongest = 64;

  explicit SerialLine(const std::string& path) : file_{path} {}
  bool ready() { return ++asked_ > 2; }
  bool write(const std::string& line) { return static_cast<bool>(file_ << line << '\n' << std::flush); }

 private:
  std::ofstream file_;
  int asked_ = 0;
};

satchel::Receipt write_to(SerialLine& line, const satchel::Delivery& message) {
  if (message.payload.size() > SerialLine::kLongest) return satchel::reject("longer than a line");
  if (!line.ready()) return satchel::down("the line is out of order");
  return line.write(message.id.to_string() + ' ' + message.payload) ? satchel::delivered()
                                                                    : satchel::down("the line broke");
}

bool settled(const satchel::Outbox& outbox, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (outbox.status().pending > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(10ms);
  return outbox.status().pending == 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument{"usage: custom_sink DIRECTORY"};
  const std::string directory = argv[1];
  SerialLine line{directory + "/line"};
  satchel::Outbox outbox{directory + "/device.db", {.probe_backoff = {.base = 50ms, .cap = 50ms}}};

  // On a thread of the sink's own, so it may block.
  outbox.attach(satchel::sink([&line](const satchel::Delivery& message) { return write_to(line, message); }));
  outbox.start();
  outbox.enqueue({.topic = "line", .payload = "hello"});
  outbox.enqueue({.topic = "line", .payload = std::string(100, 'x')});
  outbox.enqueue({.topic = "line", .payload = "world"});
  const bool done = settled(outbox, 30s);
  outbox.stop(5s);

  for (const satchel::DeadLetter& letter : outbox.dead_letters())
    std::cout << "dead letter " << letter.id.to_string() << ": " << letter.last_error << "\n";
  const satchel::Status status = outbox.status();
  std::cout << status.delivered << " delivered, " << status.dead << " dead\n";
  return done && status.delivered == 2 && status.dead == 1 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
