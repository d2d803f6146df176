// SPDX-License-Identifier: MIT
// Messages to an HTTPS backend: batches of JSON, compressed, with a token that may rotate. While the backend
// is away they wait in the file. Usage: http FILE URL [MESSAGES [TOKEN-FILE]]
#include <satchel/satchel.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

class Log final : public satchel::Observer {
 public:
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 std::chrono::milliseconds) noexcept override {
    // Told at every probe; once is enough for people.
    if (reason == last_) return;
    last_ = reason;
    std::cout << sink + (alarm ? " needs attention: " : " is down: ") + reason + "\n" << std::flush;
  }
  void died(const satchel::MessageId& id, satchel::DeadReason, const std::string& error) noexcept override {
    std::cout << "dead letter " + id.to_string() + ": " + error + "\n";
  }

 private:
  std::string last_;  // the relay thread's
};

satchel::HttpOptions backend(const std::string& url, const char* token_file) {
  satchel::HttpOptions options;
  options.url = url;                             // with {topic} in it, each topic has its own address
  options.body = satchel::HttpBody::json_array;  // envelopes with id, topic, time and payload
  options.batch.max_count = 50;                  // or what came within 20 ms
  options.gzip = true;                           // where that makes a body smaller
  if (token_file != nullptr) options.bearer_token_file = token_file;  // read anew when it changes
  return options;
}

// A device would just go on with its work.
bool wait_for_delivery(const satchel::Outbox& outbox, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (outbox.status().pending > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(10ms);
  return outbox.status().pending == 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) throw std::invalid_argument{"usage: http FILE URL [MESSAGES [TOKEN-FILE]]"};
  const int messages = argc > 3 ? std::atoi(argv[3]) : 100;
  satchel::Outbox outbox{
      argv[1], {.probe_backoff = {.base = 100ms, .cap = 1000ms}, .observer = std::make_shared<Log>()}};
  outbox.attach(satchel::HttpSink{backend(argv[2], argc > 4 ? argv[4] : nullptr)});
  outbox.start();

  for (int number = 1; number <= messages; ++number) {
    outbox.enqueue({.topic = "plant/boiler/temperature",
                    .payload = R"({"celsius":)" + std::to_string(70 + number % 10) + "}",
                    .content_type = "application/json"});
  }

  const bool delivered = wait_for_delivery(outbox, 30s);
  outbox.stop(5s);
  const satchel::Status status = outbox.status();
  std::cout << status.delivered << " delivered, " << status.pending << " pending, " << status.dead
            << " dead\n";
  return delivered && status.dead == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
