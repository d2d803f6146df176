// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/mqtt/incoming.hpp"
#include "sinks/mqtt/packet.hpp"
#include "sinks/mqtt/tls.hpp"

#include <satchel/mqtt.hpp>

#include <mosquitto.h>

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satchel::mqtt {

/// What the broker said in its CONNACK.
struct Connack {
  int code = 0;
  std::string detail;  ///< reason string and server reference, if any
  std::uint32_t receive_maximum = 65'535;
  std::uint32_t maximum_packet_size = 0;  ///< 0: no limit
  std::optional<std::uint16_t> keep_alive;
  int maximum_qos = 2;
  bool retain_available = true;
};

struct Ack {
  int packet_id = 0;
  int code = 0;
  std::string detail;
};

struct Disconnect {
  int code = 0;
  std::string detail;
};

/// One connection to one address of a broker: one libmosquitto handle from its making to its end, never used
/// twice, so that nothing of an earlier connection (queued messages, limits of another broker) lives on.
///
/// Only the external loop of libmosquitto is used. Its callbacks do no more than note what happened; the
/// owner looks at the notes after each call. One thread only.
class Client {
 public:
  struct Login {
    std::string client_id;
    std::string username;
    std::string password;
  };

  /// Throws std::bad_alloc or std::system_error when the library cannot make a handle, and `Refusal` when it
  /// does not accept an option.
  Client(const MqttOptions& options, const Login& login, int protocol);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Begins to connect to a numeric address. Returns a libmosquitto error code; errno says more with
  /// MOSQ_ERR_ERRNO.
  int connect(const std::string& address, std::uint16_t port, std::chrono::seconds keep_alive);

  int socket() const noexcept;
  /// Poll for POLLOUT? During a TLS handshake only where OpenSSL waits for it.
  bool wants_write() const noexcept;
  /// True while bytes of earlier messages wait for the socket.
  bool has_backlog() const noexcept;
  /// The TCP connection stands.
  bool tcp_established() const noexcept;

  /// Reads until the socket is empty, or a bounded number of rounds. libmosquitto error code.
  int read();
  int write();
  int keep_alive();

  /// Libmosquitto error code; the packet id goes to `packet_id`.
  int publish(const Packet& packet, const MqttOptions& options, int& packet_id);

  /// Several publishes follow: collect them in few TCP segments, until `uncork`.
  void cork(bool on) noexcept;

  /// Sends DISCONNECT.
  int disconnect();

  int protocol() const noexcept { return protocol_; }
  const std::optional<Connack>& connack() const noexcept { return connack_; }
  const std::optional<Disconnect>& disconnected() const noexcept { return disconnect_; }
  /// Acknowledgements since the last call, moved out.
  std::vector<Ack>& acks() noexcept { return acks_; }
  const TlsOutcome& tls() const noexcept { return tls_outcome_; }
  const std::string& last_error() const noexcept { return last_error_; }
  /// To be called after a good CONNACK: from here on messages are written as they are published, and the
  /// library's log, which costs an allocation a packet, is off.
  void established() noexcept;

 private:
  /// What lies in the socket and was not read yet.
  struct Ahead {
    bool blind = false;  ///< it cannot be looked at: let libmosquitto read
    bool all = false;    ///< nothing lies behind it: poll tells when there is more
    int result = MOSQ_ERR_SUCCESS;
    std::vector<Incoming> packets{};
  };

  void forget_tls_errors() const noexcept;
  int read_all();
  int read_packet(const Incoming& packet);
  int read_blindly();
  Ahead look_ahead();
  /// Bytes without taking them; -1: none at the moment, 0: let libmosquitto find out why there are none.
  std::ptrdiff_t peek();
  void look_through(std::size_t size, Ahead& ahead);
  /// Makes poll wait until so many bytes have come.
  void wait_for(std::size_t bytes) noexcept;
  /// Lets libmosquitto return after this packet.
  void end_packet() const noexcept;

  static void on_connect(mosquitto*, void* self, int code, int flags, const mosquitto_property* properties);
  static void on_disconnect(mosquitto*, void* self, int code, const mosquitto_property* properties);
  static void on_publish(mosquitto*, void* self, int id, int code, const mosquitto_property* properties);
  static void on_log(mosquitto*, void* self, int level, const char* text);

  void apply(const MqttOptions& options, const Login& login);

  const int protocol_;
  TlsOutcome tls_outcome_;
  TlsContext tls_context_;
  mosquitto* handle_ = nullptr;
  std::optional<Connack> connack_;
  std::optional<Disconnect> disconnect_;
  std::vector<Ack> acks_;
  std::string last_error_;
  /// Packet ids that wait for their PUBACK.
  std::bitset<65'536> unanswered_;
  std::vector<char> peeked_;
  std::size_t low_water_ = 1;
  bool established_ = false;
  bool reading_ = false;
  bool blind_ = false;  ///< it is unknown where the next packet begins
};

/// Once for the process, from any thread. Never undone: the application may use libmosquitto, too.
void initialise_library();

}  // namespace satchel::mqtt
