// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/mqtt/connection.hpp"
#include "support/deliveries.hpp"
#include "support/scripted_broker.hpp"
#include "support/sink_recorder.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace satchel {

// Doctest prints them in failed checks.
inline std::ostream& operator<<(std::ostream& out, Verdict verdict) {
  return out << static_cast<int>(verdict);
}

}  // namespace satchel

namespace support {

using namespace std::chrono_literals;
using satchel::MqttOptions;
using satchel::MqttVersion;
using satchel::Verdict;

/// A class that only tests may name: the sink with the name lookup replaced.
struct Rig {
  explicit Rig(const std::function<void(MqttOptions&)>& change = {},
               satchel::mqtt::Lookup lookup = satchel::mqtt::look_up)
      : options_(make_options(change)), sink(options_, std::move(lookup)) {
    sink.start(relay);
  }
  ~Rig() { sink.stop(2s); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// Connects, and the broker says `connack`.
  Peer connect(const std::string& connack = wire::connack()) {
    sink.resume();
    Peer peer = broker.accept();
    peer.connect();
    peer.send(connack);
    if (!relay.wait_up()) throw std::runtime_error{"the sink did not come up"};
    return peer;
  }

  ScriptedBroker broker;
  SinkRecorder relay;

 private:
  MqttOptions make_options(const std::function<void(MqttOptions&)>& change) const {
    MqttOptions options;
    options.host = "127.0.0.1";
    options.port = broker.port();
    options.version = MqttVersion::v5;
    if (change) change(options);
    return options;
  }
  const MqttOptions options_;

 public:
  satchel::mqtt::Connection sink;
};

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace support
