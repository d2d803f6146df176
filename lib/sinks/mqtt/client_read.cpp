// SPDX-License-Identifier: MIT
//
// Reading from a broker that may send anything: libmosquitto reads only packets that were looked at, one by
// one.
#include "sinks/mqtt/client.hpp"

#include <mqtt_protocol.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <string_view>

namespace satchel::mqtt {
namespace {

constexpr int kReadRounds = 16;
constexpr std::size_t kPeekBytes = 4096;

// A broker without TCP_NODELAY, mosquitto's default, holds the next PUBACKs back until the last ones are
// acknowledged by TCP, and a window that is full sends nothing that could carry that: 40 ms for each round.
// The option lasts only until the kernel changes its mind, so it is set at each read.
void acknowledge_now(int descriptor) noexcept {
  const int yes = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
}

bool is_broken(int socket) noexcept {
  pollfd fd{socket, POLLRDHUP, 0};
  return ::poll(&fd, 1, 0) > 0;
}

}  // namespace

int Client::read() {
  const int result = read_all();
  if (socket() >= 0) acknowledge_now(socket());
  return result;
}

int Client::read_all() {
  forget_tls_errors();
  for (int round = 0; round < kReadRounds; ++round) {
    const Ahead ahead = look_ahead();
    if (ahead.blind) return read_blindly();
    if (ahead.packets.empty()) return ahead.result;
    for (const Incoming& packet : ahead.packets) {
      const int result = read_packet(packet);
      if (result != MOSQ_ERR_SUCCESS || socket() < 0 || !connack_) return result;
    }
    if (ahead.result != MOSQ_ERR_SUCCESS || ahead.all) return ahead.result;
  }
  return MOSQ_ERR_SUCCESS;
}

int Client::read_packet(const Incoming& packet) {
  // The answer to a message comes with a callback, in which libmosquitto is told to stop. Of all others only
  // the log tells, which costs more, and some are answered: writing would make it forget that it was told, so
  // what it has to write waits for `write`.
  const bool aloud = established_ && !(packet.is_puback && unanswered_.test(packet.packet_id));
  if (aloud) {
    mosquitto_log_callback_set(handle_, on_log);
    mosquitto_threaded_set(handle_, true);
  }
  reading_ = true;
  errno = 0;
  const int result = mosquitto_loop_read(handle_, 1);
  reading_ = false;
  if (aloud) {
    mosquitto_threaded_set(handle_, false);
    mosquitto_log_callback_set(handle_, nullptr);
  }
  return result;
}

int Client::read_blindly() {
  for (int round = 0; round < kReadRounds; ++round) {
    // mosquitto_loop_read stops early when it finds an old EAGAIN in errno, and leaves its own when the
    // socket is empty.
    errno = 0;
    const int result = mosquitto_loop_read(handle_, 1);
    if (result != MOSQ_ERR_SUCCESS || errno == EAGAIN || socket() < 0 || !connack_) return result;
  }
  return MOSQ_ERR_SUCCESS;
}

void Client::end_packet() const noexcept {
  // What libmosquitto takes for an empty socket. Without it, it goes on to packets that nobody looked at.
  if (reading_) errno = EAGAIN;
}

Client::Ahead Client::look_ahead() {
  Ahead ahead;
  const auto* ssl = static_cast<const SSL*>(mosquitto_ssl_get(handle_));
  ahead.blind = blind_ || (ssl != nullptr && SSL_in_init(ssl) != 0);
  if (ahead.blind) return ahead;
  if (peeked_.empty()) peeked_.resize(kPeekBytes);
  const std::ptrdiff_t size = peek();
  if (size > 0) {
    // TLS shows one record at a time, and poll sees none that OpenSSL has already.
    ahead.all = ssl == nullptr && static_cast<std::size_t>(size) < peeked_.size();
    look_through(static_cast<std::size_t>(size), ahead);
  } else if (size == 0) {
    ahead.blind = true;
  }
  return ahead;
}

std::ptrdiff_t Client::peek() {
  auto* ssl = static_cast<SSL*>(mosquitto_ssl_get(handle_));
  if (ssl == nullptr) {
    const ssize_t size = recv(socket(), peeked_.data(), peeked_.size(), MSG_PEEK | MSG_DONTWAIT);
    if (size >= 0) return size;
    return errno == EAGAIN || errno == EINTR ? -1 : 0;
  }
  const int size = SSL_peek(ssl, peeked_.data(), static_cast<int>(peeked_.size()));
  if (size > 0) return size;
  return SSL_get_error(ssl, size) == SSL_ERROR_WANT_READ ? -1 : 0;
}

void Client::look_through(std::size_t size, Ahead& ahead) {
  std::string_view rest{peeked_.data(), size};
  while (!rest.empty()) {
    const Incoming found = look_at(rest, protocol_ == MQTT_PROTOCOL_V5);
    if (found.kind == Incoming::Kind::unexpected) ahead.result = MOSQ_ERR_PROTOCOL;
    if (found.kind == Incoming::Kind::malformed) ahead.result = MOSQ_ERR_MALFORMED_PACKET;
    if (ahead.result != MOSQ_ERR_SUCCESS) return;
    if (found.kind == Incoming::Kind::part) {
      // Behind packets that are whole this part is looked at again.
      if (!ahead.packets.empty()) return;
      // TLS shows one record, and a packet may lie in two. The peer has proved who it is.
      const bool encrypted = mosquitto_ssl_get(handle_) != nullptr;
      // What is broken off is never completed, and poll would not wait.
      ahead.blind = encrypted || is_broken(socket());
      blind_ = ahead.blind;
      if (!blind_) wait_for(found.size);
      if (peeked_.size() < found.size) peeked_.resize(found.size);
      return;
    }
    ahead.packets.push_back(found);
    rest.remove_prefix(found.size);
  }
  wait_for(1);
}

void Client::wait_for(std::size_t bytes) noexcept {
  if (low_water_ == bytes || mosquitto_ssl_get(handle_) != nullptr) return;
  low_water_ = bytes;
  const int value = static_cast<int>(bytes);
  setsockopt(socket(), SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
}

}  // namespace satchel::mqtt
