// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/satchel.h>
#include <satchel/observer.hpp>

#include <string>

namespace satchel::capi {

/// Hands what an observer is told to a C callback.
class CallbackObserver final : public Observer {
 public:
  CallbackObserver(satchel_event_callback callback, void* context) noexcept
      : callback_{callback}, context_{context} {}

  void delivered(const MessageId& id, int attempts) noexcept override;
  void retrying(const MessageId& id, int attempts, const std::string& error,
                std::chrono::milliseconds backoff) noexcept override;
  void died(const MessageId& id, DeadReason reason, const std::string& error) noexcept override;
  void expired(const MessageId& id) noexcept override;
  void dropped(DropReason reason, const std::string& topic, std::uint64_t messages) noexcept override;
  void sink_up(const std::string& sink) noexcept override;
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 std::chrono::milliseconds pause) noexcept override;
  void leading(bool leads) noexcept override;
  void failing(const std::string& problem, const std::string& hint) noexcept override;
  void healed() noexcept override;
  void gate_held(std::chrono::milliseconds held) noexcept override;
  void notice(const std::string& text) noexcept override;

 private:
  const satchel_event_callback callback_;
  void* const context_;
};

}  // namespace satchel::capi
