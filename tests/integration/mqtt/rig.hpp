// SPDX-License-Identifier: MIT
#pragma once

#include "support/broker.hpp"
#include "support/deliveries.hpp"
#include "support/sink_recorder.hpp"

#include <satchel/mqtt.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>

namespace support {

using namespace std::chrono_literals;
using satchel::MqttOptions;
using satchel::MqttSink;
using satchel::MqttTls;
using satchel::MqttVersion;
using satchel::Verdict;

inline MqttOptions options_for(std::uint16_t port) {
  MqttOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  return options;
}

/// The sink with the test in the relay's place.
struct Session {
  explicit Session(const MqttOptions& options) : sink(options) { sink.start(relay); }
  ~Session() { sink.stop(2s); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool up() {
    sink.resume();
    return relay.wait_up();
  }
  std::optional<satchel::Receipt> down() {
    sink.resume();
    return relay.wait_down();
  }

  SinkRecorder relay;
  MqttSink sink;
};

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace support
