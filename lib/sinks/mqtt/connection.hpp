// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/mqtt/exchange.hpp"
#include "sinks/mqtt/resolver.hpp"

#include <satchel/mqtt.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace satchel::mqtt {

/// The sink without its shell: checked options, the exchange, and the network thread, which runs from `start`
/// to `stop`.
class Connection {
 public:
  /// `lookup` is replaced by tests only.
  explicit Connection(MqttOptions options, Lookup lookup = look_up);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start(SinkEvents& events);
  void resume() { exchange_->resume(); }
  void send(std::vector<Delivery> batch) { exchange_->send(std::move(batch)); }
  void reset() { exchange_->reset(); }
  void stop(std::chrono::milliseconds timeout) noexcept;
  std::size_t capacity() const noexcept { return exchange_->capacity(); }
  std::string name() const { return name_; }

 private:
  // constant after construction
  const MqttOptions options_;
  const std::string name_;
  const unsigned generation_;
  const std::shared_ptr<Exchange> exchange_;
  const Lookup lookup_;
  // the caller's thread only
  std::thread thread_;
};

}  // namespace satchel::mqtt
