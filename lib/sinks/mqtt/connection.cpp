// SPDX-License-Identifier: MIT
#include "sinks/mqtt/connection.hpp"

#include "base/fork.hpp"
#include "base/quiet_thread.hpp"
#include "sinks/mqtt/network.hpp"
#include "sinks/mqtt/options.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace satchel::mqtt {

using std::chrono::milliseconds;

Connection::Connection(MqttOptions options, Lookup lookup)
    : options_(validated(std::move(options))),
      name_(name_of(options_)),
      generation_(fork_generation()),
      exchange_(std::make_shared<Exchange>(options_.window)),
      lookup_(std::move(lookup)) {}

Connection::~Connection() { stop(milliseconds{1000}); }

void Connection::start(SinkEvents& events) {
  if (thread_.joinable()) throw UsageError{"start MQTT sink", "it was started before", "start a sink once"};
  exchange_->open(events);
  try {
    const SignalsBlocked blocked;
    // The thread owns all that it uses: it may outlive this object when it has to be left behind.
    thread_ = std::thread{[exchange = exchange_, options = options_, lookup = lookup_] {
      try {
        Network{options, exchange, lookup}.run();
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

void Connection::stop(milliseconds timeout) noexcept {
  if (generation_ != fork_generation()) {
    // A forked child has no network thread, and its descriptors are the parent's.
    if (thread_.joinable()) thread_.detach();
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  const auto by = now + std::clamp<milliseconds>(timeout, milliseconds{0}, std::chrono::hours{24});
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

}  // namespace satchel::mqtt
