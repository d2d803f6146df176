// SPDX-License-Identifier: MIT
#include "base/fork.hpp"
#include "sinks/mqtt/connection.hpp"
#include "sinks/mqtt/network.hpp"
#include "sinks/mqtt/options.hpp"
#include "sinks/mqtt/thread.hpp"

#include <satchel/error.hpp>
#include <satchel/mqtt.hpp>

#include <algorithm>
#include <system_error>
#include <utility>

namespace satchel {

using std::chrono::milliseconds;

MqttSink::Connection::Connection(MqttOptions options, mqtt::Lookup lookup)
    : options_(mqtt::validated(std::move(options))),
      name_(mqtt::name_of(options_)),
      generation_(fork_generation()),
      exchange_(std::make_shared<mqtt::Exchange>(options_.window)),
      lookup_(std::move(lookup)) {}

MqttSink::Connection::~Connection() { stop(milliseconds{1000}); }

void MqttSink::Connection::start(SinkEvents& events) {
  if (thread_.joinable()) throw UsageError{"start MQTT sink", "it was started before", "start a sink once"};
  exchange_->open(events);
  try {
    const mqtt::SignalsBlocked blocked;
    // The thread owns all that it uses: it may outlive this object when it has to be left behind.
    thread_ = std::thread{[exchange = exchange_, options = options_, lookup = lookup_] {
      try {
        mqtt::Network{options, exchange, lookup}.run();
      } catch (const std::exception& problem) {
        exchange->down(down(std::string{"the network thread could not begin: "} + problem.what()));
      }
      exchange->finish();
    }};
  } catch (const std::system_error& problem) {
    throw UsageError{"start MQTT sink", std::string{"no thread: "} + problem.what(),
                     "check the limits of the process", problem.code().value()};
  }
}

void MqttSink::Connection::stop(milliseconds timeout) noexcept {
  if (generation_ != fork_generation()) {
    // A forked child has no network thread, and its descriptors are the parent's.
    if (thread_.joinable()) thread_.detach();
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  const auto by = now + std::max(timeout, milliseconds{0});
  if (!thread_.joinable()) return exchange_->close(by);
  const bool inside = exchange_->in_event();
  // The thread gets most of the time, the rest is for it to end.
  exchange_->ask_to_stop(now + (by - now) * 3 / 4);
  const bool finished = !inside && exchange_->wait_finished(by);
  exchange_->close(by);
  if (finished) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

MqttSink::MqttSink(MqttOptions options) : connection_(std::make_shared<Connection>(std::move(options))) {}

MqttSink MqttSink::from_url(const SinkUrl& url) { return MqttSink{mqtt::options_from_url(url)}; }

MqttSink::~MqttSink() = default;
MqttSink::MqttSink(MqttSink&&) noexcept = default;
MqttSink& MqttSink::operator=(MqttSink&&) noexcept = default;

void MqttSink::start(SinkEvents& events) { connection_->start(events); }
void MqttSink::resume() { connection_->resume(); }
void MqttSink::send(std::vector<Delivery> batch) { connection_->send(std::move(batch)); }
void MqttSink::reset() { connection_->reset(); }
void MqttSink::stop(milliseconds timeout) noexcept { connection_->stop(timeout); }
std::size_t MqttSink::capacity() const noexcept { return connection_->capacity(); }
std::string MqttSink::name() const { return connection_->name(); }

}  // namespace satchel
