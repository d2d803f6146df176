// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fuzz {

/// Answers at once, in turns, and keeps what it was given last.
class AnsweringSink final : public satchel::Sink {
 public:
  struct Notes {
    unsigned turn = 0;
    std::vector<satchel::Delivery> taken{};
  };
  explicit AnsweringSink(Notes& notes) : notes_(notes) {}

  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    std::vector<satchel::Receipt> receipts;
    for (satchel::Delivery& delivery : batch) {
      receipts.push_back(answer());
      receipts.back().claim = delivery.claim;
      notes_.taken.push_back(std::move(delivery));
    }
    events_->receipts(std::move(receipts));
  }
  void reset() override { events_->down(satchel::down("reset")); }
  void stop(std::chrono::milliseconds) noexcept override {}
  std::size_t capacity() const noexcept override { return 100; }
  std::string name() const override { return "answering"; }

 private:
  satchel::Receipt answer() {
    switch (notes_.turn++ % 4) {
      case 0:
        return satchel::retry("retry");
      case 1:
        return satchel::reject("reject");
      default:
        return satchel::delivered();
    }
  }

  Notes& notes_;
  satchel::SinkEvents* events_ = nullptr;
};

}  // namespace fuzz
