// SPDX-License-Identifier: MIT
// A program of somebody else: enqueues a message and relays it to a sink of its own.
#include <satchel/satchel.hpp>

#include <cstdio>

class Printer final : public satchel::Sink {
 public:
  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    for (const auto& delivery : batch) {
      std::printf("%s = %s\n", delivery.topic.c_str(), delivery.payload.c_str());
      auto receipt = satchel::delivered();
      receipt.claim = delivery.claim;
      events_->receipts({receipt});
    }
  }
  void reset() override {}
  void stop(std::chrono::milliseconds) noexcept override {}
  std::size_t capacity() const noexcept override { return 10; }
  std::string name() const override { return "printer:"; }

 private:
  satchel::SinkEvents* events_ = nullptr;
};

int main(int, char** argv) {
  satchel::Outbox outbox{argv[1], {.settle_linger = std::chrono::milliseconds{0}}};
  outbox.attach(Printer{});
  outbox.enqueue({.topic = "plant/boiler/temperature", .payload = "71.5"});
  for (int round = 0; round < 100 && outbox.status().delivered == 0; ++round) outbox.run_once();
  return outbox.status().delivered == 1 && outbox.status().pending == 0 ? 0 : 1;
}
