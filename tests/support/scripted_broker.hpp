// SPDX-License-Identifier: MIT
#pragma once

#include "support/loopback.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A broker that does exactly what a test tells it, byte by byte, from the test's own thread: what no healthy
/// broker does.
namespace support {

/// One MQTT control packet as it came over the wire.
struct WirePacket {
  std::uint8_t type = 0;  ///< 1 CONNECT, 3 PUBLISH, 12 PINGREQ, 14 DISCONNECT
  std::uint8_t flags = 0;
  std::string body;
  std::size_t size = 0;  ///< with the fixed header
};

/// Takes a packet's body apart; throws when it is too short.
class WireReader {
 public:
  explicit WireReader(std::string_view text) : rest_(text) {}
  std::string_view take(std::size_t count) {
    if (rest_.size() < count) throw std::runtime_error{"packet too short"};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  unsigned byte() { return static_cast<unsigned char>(take(1)[0]); }
  unsigned number() {
    const unsigned high = byte();
    return high << 8U | byte();
  }
  std::uint32_t long_number() {
    const std::uint32_t high = number();
    return high << 16U | number();
  }
  std::string text() { return std::string{take(number())}; }
  std::size_t variable() {
    std::size_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const unsigned next = byte();
      value |= static_cast<std::size_t>(next & 0x7FU) << shift;
      if (next < 0x80U) return value;
    }
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

struct WireConnect {
  std::string protocol;
  unsigned level = 0;  ///< 4: MQTT 3.1.1, 5: MQTT 5
  unsigned flags = 0;
  unsigned keep_alive = 0;
  std::string client_id;
  std::string will_topic;
  std::string will_payload;
  std::string username;
  std::string password;

  explicit WireConnect(const WirePacket& packet) {
    WireReader reader{packet.body};
    protocol = reader.text();
    level = reader.byte();
    flags = reader.byte();
    keep_alive = reader.number();
    if (level == 5) reader.take(reader.variable());
    client_id = reader.text();
    if ((flags & 0x04U) != 0) {
      if (level == 5) reader.take(reader.variable());
      will_topic = reader.text();
      will_payload = reader.text();
    }
    if ((flags & 0x80U) != 0) username = reader.text();
    if ((flags & 0x40U) != 0) password = reader.text();
  }
  bool clean() const { return (flags & 0x02U) != 0; }
};

struct WirePublish {
  std::string topic;
  std::string payload;
  unsigned id = 0;
  unsigned qos = 0;
  bool retain = false;
  bool duplicate = false;
  std::vector<std::pair<std::string, std::string>> user_properties;
  std::string content_type;
  std::optional<std::uint32_t> expiry;
  std::size_t size = 0;

  WirePublish(const WirePacket& packet, bool v5) : size(packet.size) {
    WireReader reader{packet.body};
    qos = packet.flags >> 1U & 3U;
    retain = (packet.flags & 1U) != 0;
    duplicate = (packet.flags & 8U) != 0;
    topic = reader.text();
    if (qos > 0) id = reader.number();
    if (v5) read_properties(WireReader{reader.take(reader.variable())});
    payload = reader.rest();
  }

 private:
  void read_properties(WireReader reader) {
    while (!reader.rest().empty()) {
      switch (reader.byte()) {
        case 0x02:
          expiry = reader.long_number();
          break;
        case 0x03:
          content_type = reader.text();
          break;
        case 0x26: {
          std::string name = reader.text();
          user_properties.emplace_back(std::move(name), reader.text());
          break;
        }
        default:
          throw std::runtime_error{"unexpected property"};
      }
    }
  }
};

/// Bytes of what a broker says.
namespace wire {

inline std::string byte(unsigned value) { return std::string(1, static_cast<char>(value)); }
inline std::string number(unsigned value) { return byte(value >> 8U & 0xFFU) + byte(value & 0xFFU); }
inline std::string long_number(std::uint32_t value) { return number(value >> 16U) + number(value & 0xFFFFU); }
inline std::string text(const std::string& value) {
  return number(static_cast<unsigned>(value.size())) + value;
}
inline std::string packet(unsigned first, const std::string& body) {
  return byte(first) + byte(static_cast<unsigned>(body.size())) + body;  // short packets only
}
inline std::string with_length(const std::string& properties) {
  return byte(static_cast<unsigned>(properties.size())) + properties;
}

inline std::string receive_maximum(unsigned value) { return byte(0x21) + number(value); }
inline std::string maximum_packet_size(std::uint32_t value) { return byte(0x27) + long_number(value); }
inline std::string server_keep_alive(unsigned value) { return byte(0x13) + number(value); }
inline std::string maximum_qos(unsigned value) { return byte(0x24) + byte(value); }
inline std::string retain_available(bool value) { return byte(0x25) + byte(value ? 1 : 0); }
inline std::string reason_string(const std::string& value) { return byte(0x1F) + text(value); }
inline std::string server_reference(const std::string& value) { return byte(0x1C) + text(value); }

inline std::string connack(unsigned code = 0, const std::string& properties = {}) {
  return packet(0x20, byte(0) + byte(code) + with_length(properties));
}
inline std::string connack_311(unsigned code = 0) { return packet(0x20, byte(0) + byte(code)); }
inline std::string puback(unsigned id) { return packet(0x40, number(id)); }
inline std::string puback(unsigned id, unsigned code, const std::string& properties = {}) {
  return packet(0x40, number(id) + byte(code) + with_length(properties));
}
inline std::string disconnect(unsigned code, const std::string& properties = {}) {
  return packet(0xE0, byte(code) + with_length(properties));
}
inline std::string pingresp() { return packet(0xD0, {}); }

}  // namespace wire

/// The broker's end of one connection.
class Peer {
 public:
  using Patience = std::chrono::milliseconds;

  explicit Peer(Descriptor socket) : socket_(std::move(socket)) {}

  /// Throws when the peer is gone.
  void send(const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t count = ::send(socket_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (count <= 0) throw std::runtime_error{"the sink hung up"};
      at += static_cast<std::size_t>(count);
    }
  }

  /// The next packet; nothing when the connection ends or none comes in time.
  std::optional<WirePacket> packet(Patience patience = kPatience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
      if (auto found = parse()) return found;
      if (!receive(deadline)) return std::nullopt;
    }
  }

  /// The next packet has to be a CONNECT.
  WireConnect connect() { return WireConnect{expect(1)}; }
  WirePublish publish(bool v5 = true) { return WirePublish{expect(3), v5}; }
  void ping() { expect(12); }
  void disconnect() { expect(14); }

  /// No byte comes for so long.
  bool is_silent(Patience span) {
    pollfd fd{socket_.get(), POLLIN, 0};
    return buffer_.empty() && ::poll(&fd, 1, static_cast<int>(span.count())) == 0;
  }

  /// The sink closes the connection; what it sends before that is dropped.
  bool wait_closed(Patience patience = kPatience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (receive(deadline)) buffer_.clear();
    return closed_;
  }

  void close() { socket_.reset(); }
  /// Ends the connection with a reset.
  void abort() {
    const linger now{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket_.reset();
  }

 private:
  static constexpr Patience kPatience{20'000};

  WirePacket expect(unsigned type) {
    auto found = packet();
    if (!found) throw std::runtime_error{"no packet came"};
    if (found->type != type) throw std::runtime_error{"another packet came: " + std::to_string(found->type)};
    return std::move(*found);
  }

  bool receive(std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::ceil<Patience>(deadline - std::chrono::steady_clock::now());
    pollfd fd{socket_.get(), POLLIN, 0};
    if (::poll(&fd, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) <= 0) return false;
    char chunk[4096];
    const ssize_t count = ::recv(socket_.get(), chunk, sizeof chunk, 0);
    closed_ = count <= 0;
    if (closed_) return false;
    buffer_.append(chunk, static_cast<std::size_t>(count));
    return true;
  }

  std::optional<WirePacket> parse() {
    std::size_t length = 0;
    for (std::size_t at = 1; at < buffer_.size() && at < 5; ++at) {
      const auto next = static_cast<unsigned char>(buffer_[at]);
      length |= static_cast<std::size_t>(next & 0x7FU) << (7 * (at - 1));
      if (next >= 0x80U) continue;
      const std::size_t head = at + 1;
      if (buffer_.size() < head + length) return std::nullopt;
      WirePacket found;
      found.type = static_cast<std::uint8_t>(static_cast<unsigned char>(buffer_[0]) >> 4U);
      found.flags = static_cast<std::uint8_t>(static_cast<unsigned char>(buffer_[0]) & 0xFU);
      found.body = buffer_.substr(head, length);
      found.size = head + length;
      buffer_.erase(0, head + length);
      return found;
    }
    return std::nullopt;
  }

  Descriptor socket_;
  std::string buffer_;
  bool closed_ = false;
};

class ScriptedBroker {
 public:
  /// At 127.0.0.`host`; port 0: a free one.
  explicit ScriptedBroker(std::uint16_t port = 0, std::uint8_t host = 1)
      : listener_(bound_socket(16, port, host)), port_(port_of(listener_.get())) {}

  std::uint16_t port() const noexcept { return port_; }

  Peer accept(Peer::Patience patience = std::chrono::seconds{20}) {
    pollfd fd{listener_.get(), POLLIN, 0};
    if (::poll(&fd, 1, static_cast<int>(patience.count())) <= 0) throw std::runtime_error{"nobody connected"};
    return Peer{Descriptor{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)}};
  }

  /// Connections are refused from here on.
  void stop_listening() { listener_.reset(); }

 private:
  Descriptor listener_;
  std::uint16_t port_;
};

}  // namespace support
