// SPDX-License-Identifier: MIT
#include "rig.hpp"

#include <satchel/testing/sink_conformance.hpp>

using namespace support;

namespace {

/// A real broker that can be frozen and killed.
class BrokerFixture final : public satchel::testing::SinkFixture {
 public:
  explicit BrokerFixture(MqttVersion version) : version_(version) {}

  std::unique_ptr<satchel::Sink> make() override {
    MqttOptions options = options_for(broker_.port());
    options.version = version_;
    options.username = "user";
    options.password = secret();
    return std::make_unique<MqttSink>(options);
  }
  bool silence_peer() override {
    broker_.freeze();
    return true;
  }
  bool remove_peer() override {
    broker_.kill();
    removed_ = true;
    return true;
  }
  void restore_peer() override {
    if (removed_) {
      broker_.restart();
    } else {
      broker_.thaw();
    }
    removed_ = false;
  }
  std::string secret() override { return "correct horse"; }

 private:
  Broker broker_;
  const MqttVersion version_;
  bool removed_ = false;
};

}  // namespace

TEST_CASE("mqtt: the sink keeps the rules of every sink, with MQTT 5 and MQTT 3.1.1") {
  for (const MqttVersion version : {MqttVersion::v5, MqttVersion::v311}) {
    for (const auto& check : satchel::testing::all_sink_checks()) {
      CAPTURE(check.name);
      BrokerFixture fixture{version};
      CHECK_NOTHROW(check.run(fixture));
    }
  }
}
