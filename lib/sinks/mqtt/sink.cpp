// SPDX-License-Identifier: MIT
#include "sinks/mqtt/connection.hpp"
#include "sinks/mqtt/options.hpp"

#include <satchel/mqtt.hpp>

#include <utility>

namespace satchel {

// The public header must not know the folder's classes: this is the name under which it holds one.
class MqttSink::Connection final : public mqtt::Connection {
  using mqtt::Connection::Connection;
};

MqttSink::MqttSink(MqttOptions options) : connection_(std::make_shared<Connection>(std::move(options))) {}

MqttSink MqttSink::from_url(const SinkUrl& url) { return MqttSink{mqtt::options_from_url(url)}; }

MqttSink::~MqttSink() = default;
MqttSink::MqttSink(MqttSink&&) noexcept = default;
MqttSink& MqttSink::operator=(MqttSink&&) noexcept = default;

void MqttSink::start(SinkEvents& events) { connection_->start(events); }
void MqttSink::resume() { connection_->resume(); }
void MqttSink::send(std::vector<Delivery> batch) { connection_->send(std::move(batch)); }
void MqttSink::reset() { connection_->reset(); }
void MqttSink::stop(std::chrono::milliseconds timeout) noexcept { connection_->stop(timeout); }
std::size_t MqttSink::capacity() const noexcept { return connection_->capacity(); }
std::string MqttSink::name() const { return connection_->name(); }

}  // namespace satchel
