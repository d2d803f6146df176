// SPDX-License-Identifier: MIT
#pragma once

#include "event/hooks.hpp"

#include <satchel/event_bus.hpp>
#include <satchel/options.hpp>
#include <satchel/sink.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace satchel {

/// Plays the relay's part towards a sink, without its memory: hands one message over and waits for its
/// receipt. Thread-safe.
class DirectEventBus::Core final : public SinkEvents {
 public:
  Core(std::unique_ptr<Sink> sink, std::chrono::milliseconds timeout, const Options& limits);
  ~Core() override;
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  MessageId send(const Message& message);

  void receipts(std::vector<Receipt> batch) noexcept override;
  void up() noexcept override;
  void down(Receipt cause) noexcept override;

  event::Hooks hooks;

 private:
  enum class State : std::uint8_t { down, connecting, up };
  using Lock = std::unique_lock<std::mutex>;
  using TimePoint = std::chrono::steady_clock::time_point;
  class Turn;

  template <class Call>
  static auto unlocked(Lock& lock, const Call& call);
  void wait_until_up(Lock& lock, TimePoint deadline);
  MessageId hand_over(Lock& lock, TimePoint deadline, Delivery delivery);
  void wait_for_receipt(Lock& lock, TimePoint deadline, std::uint64_t claim);

  // Constant after construction.
  const Options limits_;
  const std::chrono::milliseconds timeout_;
  const Identity identity_;
  const std::unique_ptr<Sink> sink_;  // called by who has the turn
  const std::string name_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  bool in_sink_ = false;    // somebody has the turn
  bool reset_due_ = false;  // a receipt stayed out
  State state_ = State::down;
  std::string problem_;
  std::uint64_t last_claim_ = 0;
  std::map<std::uint64_t, std::optional<Receipt>> waiting_;  // by claim; nothing: no receipt yet
};

}  // namespace satchel
