// SPDX-License-Identifier: MIT
//
// From an order to connect to a CONNACK.
#include "sinks/mqtt/network.hpp"

#include "sinks/mqtt/now.hpp"
#include "sinks/mqtt/options.hpp"
#include "sinks/mqtt/refusal.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

namespace satchel::mqtt {
namespace {

using verdicts::Cause;
using verdicts::Source;

bool is_numeric(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  const std::string plain = host.substr(0, host.find('%'));
  return inet_pton(AF_INET, plain.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, plain.c_str(), bytes.data()) == 1;
}

int pending_error(int socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

/// Closed or broken by the peer, seen without taking anything from the socket.
bool is_dead(int socket) {
  char byte = 0;
  const ssize_t count = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace

std::string Network::address() const {
  const std::string& text = attempt_.next > 0 ? attempt_.addresses[attempt_.next - 1] : options_.host;
  return fmt::format("{} port {}", text, options_.port);
}

int Network::preferred_protocol() const noexcept {
  if (options_.version == MqttVersion::v311 || v5_refused_ || try_v311_) return MQTT_PROTOCOL_V311;
  return MQTT_PROTOCOL_V5;
}

bool Network::falls_back(int code) const noexcept {
  return code == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION && options_.version == MqttVersion::automatic &&
         attempt_.protocol == MQTT_PROTOCOL_V5;
}

void Network::begin(int protocol) {
  try_v311_ = false;
  attempt_ = Attempt{};
  attempt_.protocol = protocol;
  attempt_.deadline = boot_now() + options_.connect_timeout;
  std::string problem;
  auto password = current_password(options_, problem);
  if (!password) return fail(verdicts::transport(Cause::credentials_unreadable, problem));
  attempt_.login = {options_.client_id, options_.username, std::move(*password)};
  if (is_numeric(options_.host)) {
    attempt_.addresses.push_back(options_.host);
    return open_next();
  }
  resolver_.begin(options_.host);
  phase_ = Phase::resolving;
}

void Network::accept_addresses() {
  Addresses found;
  if (!resolver_.take(found)) return;
  if (found.error != 0) {
    return fail(verdicts::transport(verdicts::cause_of_name_error(found.error),
                                    fmt::format("{}: {}", options_.host, gai_strerror(found.error))));
  }
  first_address_ %= found.list.size();
  std::rotate(found.list.begin(), found.list.begin() + static_cast<std::ptrdiff_t>(first_address_),
              found.list.end());
  attempt_.addresses = std::move(found.list);
  open_next();
}

void Network::open_next() {
  phase_ = Phase::connecting;
  while (attempt_.next < attempt_.addresses.size()) {
    const std::string& target = attempt_.addresses[attempt_.next++];
    attempt_.tcp_established = false;
    try {
      client_ = std::make_unique<Client>(options_, attempt_.login, attempt_.protocol);
    } catch (const Refusal& refusal) {
      return fail(refusal.receipt);
    }
    const int result = client_->connect(target, options_.port, options_.keep_alive);
    const int error = errno;
    if (result <= MOSQ_ERR_SUCCESS) {
      const BootTime now = boot_now();
      const auto rest = static_cast<std::int64_t>(attempt_.addresses.size() - attempt_.next + 1);
      // The last address may use what is left; the ones before it must leave something.
      attempt_.address_deadline = now + (attempt_.deadline - now) / rest;
      return;
    }
    if (auto tls = client_->tls().receipt()) return fail(*tls);
    attempt_.failure = result == MOSQ_ERR_ERRNO
                           ? verdicts::transport(verdicts::cause_of_errno(error),
                                                 address() + ": " + std::generic_category().message(error))
                           : cause_of_loss(result);
    client_.reset();
  }
  fail(attempt_.failure);
}

void Network::next_address(Receipt failure) {
  attempt_.failure = std::move(failure);
  client_.reset();
  open_next();
}

void Network::serve_connecting(short events) {
  if (!attempt_.tcp_established) {
    // A reset means that the connection stood: the TLS handshake began within connect, and the peer's reason
    // to refuse it may still lie in the socket.
    const int error = pending_error(client_->socket());
    const bool was_reset = error == ECONNRESET || error == EPIPE;
    if (error != 0 && !was_reset) {
      return next_address(verdicts::transport(verdicts::cause_of_errno(error),
                                              address() + ": " + std::generic_category().message(error)));
    }
    attempt_.tcp_established = was_reset || client_->tcp_established();
    if (!attempt_.tcp_established) {
      if ((events & (POLLERR | POLLHUP)) == 0) return;
      return next_address(verdicts::transport(Cause::connect_failed, address()));
    }
  }
  // Reading first: a refusal in TLS or MQTT lies in the socket while writing to it fails already.
  int result = MOSQ_ERR_SUCCESS;
  if ((events & (POLLIN | POLLERR | POLLHUP)) != 0) result = client_->read();
  if (result == MOSQ_ERR_SUCCESS && client_->socket() >= 0 && !client_->connack() &&
      (events & POLLOUT) != 0) {
    result = client_->write();
  }
  if (client_->connack()) return accept_connack();
  if (result != MOSQ_ERR_SUCCESS || client_->socket() < 0 || client_->tls().receipt()) {
    return refused_before_connack(result);
  }
  // libmosquitto takes a connection that breaks during the TLS handshake for one that needs patience: polling
  // again would spin.
  if ((events & (POLLERR | POLLHUP)) != 0 || is_dead(client_->socket())) {
    refused_before_connack(MOSQ_ERR_CONN_LOST);
  }
}

void Network::refused_before_connack(int result) {
  if (auto tls = client_->tls().receipt()) return fail(*tls);
  const bool v5_open = options_.version == MqttVersion::automatic && attempt_.protocol == MQTT_PROTOCOL_V5;
  if (v5_open && (result == MOSQ_ERR_PROTOCOL || result == MOSQ_ERR_MALFORMED_PACKET)) {
    // Brokers older than MQTT 5 answer with a CONNACK of MQTT 3.1.1, which does not parse as one of MQTT 5.
    keep_address();
    client_.reset();
    return begin(MQTT_PROTOCOL_V311);
  }
  if (result == MOSQ_ERR_CONN_LOST || result == MOSQ_ERR_SUCCESS) {
    // Others just hang up. So does a broker that is being restarted: therefore one try, and MQTT 5 again
    // after it.
    try_v311_ = v5_open;
    if (try_v311_) keep_address();
    return fail(verdicts::transport(Cause::closed, "no CONNACK from " + address()));
  }
  fail(cause_of_loss(result));
}

void Network::accept_connack() {
  const Connack& connack = *client_->connack();
  if (falls_back(connack.code)) {
    v5_refused_ = true;
    keep_address();
    client_.reset();
    return begin(MQTT_PROTOCOL_V311);
  }
  if (connack.code != 0) {
    const bool v5 = attempt_.protocol == MQTT_PROTOCOL_V5;
    return fail(verdicts::classify(v5 ? Source::mqtt_connack_5 : Source::mqtt_connack_311, connack.code,
                                   connack.detail));
  }
  if (connack.receive_maximum == 0) {
    return fail(verdicts::transport(Cause::protocol_error, "CONNACK with Receive Maximum 0"));
  }
  if (connack.maximum_qos < options_.qos) {
    return fail(verdicts::classify(Source::mqtt_connack_5, MQTT_RC_QOS_NOT_SUPPORTED));
  }
  if (options_.retain && !connack.retain_available) {
    return fail(verdicts::classify(Source::mqtt_connack_5, MQTT_RC_RETAIN_NOT_SUPPORTED));
  }
  window_ = std::min<std::size_t>(options_.window, connack.receive_maximum);
  maximum_packet_size_ = connack.maximum_packet_size;
  keep_alive_ = connack.keep_alive ? std::chrono::seconds{*connack.keep_alive} : options_.keep_alive;
  exchange_->set_capacity(window_);
  keep_address();
  client_->established();
  touch_in();
  touch_out();
  phase_ = Phase::up;
  exchange_->up();
}

}  // namespace satchel::mqtt
