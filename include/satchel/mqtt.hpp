// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>
#include <satchel/sink_url.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#pragma GCC visibility push(default)

namespace satchel {

enum class MqttVersion : std::uint8_t {
  automatic,  ///< MQTT 5, and 3.1.1 from then on when the broker refuses it
  v5,
  v311,
};

/// Message that the broker publishes when the connection ends without a DISCONNECT (MQTT 5.0
/// section 3.1.2.5).
struct MqttWill {
  /// As it is, without `topic_prefix`.
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
};

/// Encryption and authentication by certificates. Chain and host name are always verified; TLS 1.2 or newer.
struct MqttTls {
  /// CA certificates, PEM. Empty: `ca_path`, and if that is empty too, the system's.
  std::string ca_file{};
  /// Directory of hashed CA certificates.
  std::string ca_path{};
  /// Client certificate and its key, PEM; both or none.
  std::string certificate_file{};
  std::string key_file{};
};

/// How to reach a broker and how to publish. Checked when the sink is made (`InvalidOption`).
struct MqttOptions {
  std::string host{"localhost"};
  /// 0: 1883, or 8883 with `tls`.
  std::uint16_t port = 0;
  /// Empty: a random one for each sink. Two devices with the same id throw each other out.
  std::string client_id{};
  MqttVersion version = MqttVersion::automatic;
  /// 0 or 1. At 0 delivered means: handed to the network. 2 is not offered: it does not outlive the broker's
  /// session.
  int qos = 1;
  bool retain = false;
  /// Put before every topic as it is: `site-7/`.
  std::string topic_prefix{};

  std::string username{};
  /// Read at every connect, so that passwords can rotate: the first line of this file.
  std::string password_file{};
  /// Used when `password_file` is empty.
  std::string password{};

  std::optional<MqttWill> will{};
  std::optional<MqttTls> tls{};

  /// PINGREQ after this much silence; the broker may demand less. 5 s to 18 h.
  std::chrono::seconds keep_alive{30};
  /// For name resolution, TCP, TLS and CONNACK together. 100 ms to 10 min.
  std::chrono::milliseconds connect_timeout{10'000};
  /// Longest wait for a PUBACK; then the connection is dropped. Nothing is ever sent again on a live one. 100
  /// ms to 1 h.
  std::chrono::milliseconds ack_timeout{30'000};
  /// Unacknowledged messages at once; the broker's Receive Maximum lowers it. 1 to 1000.
  std::size_t window = 100;
  /// MQTT 3.1.1 has no properties: wrap the payload as CloudEvents 1.0 JSON, so that id, key, created,
  /// sequence and headers travel. Without it they do not, and receivers cannot tell a copy. With MQTT 5 it
  /// has no effect.
  bool envelope = false;
};

/// Publishes to an MQTT broker; the topic is `topic_prefix` + `Message::topic`.
///
/// With MQTT 5 each message carries the user properties `satchel-id`, `satchel-key` (if any),
/// `satchel-created` (RFC 3339, if known), `satchel-sequence` (if any) and its headers, its content type, and
/// as Message Expiry Interval what is left of its time. The session is always clean: the outbox is the
/// session.
class MqttSink final : public Sink {
 public:
  /// Throws `InvalidOption`. Connects when the relay asks for it.
  explicit MqttSink(MqttOptions options);
  /// From `mqtt://user@host:port?name=value&...` or `mqtts://...`; the names are those of `MqttOptions`, and
  /// of `MqttTls`
  /// (`ca_file`, `certificate_file`, `key_file`); durations are in milliseconds (`keep_alive` in seconds).
  /// The password comes from `password_file` or the environment variable named by `password_env`. Throws
  /// `InvalidOption`.
  static MqttSink from_url(const SinkUrl& url);
  ~MqttSink() override;
  MqttSink(MqttSink&&) noexcept;
  MqttSink& operator=(MqttSink&&) noexcept;

  void start(SinkEvents& events) override;
  void resume() override;
  void send(std::vector<Delivery> batch) override;
  void reset() override;
  void stop(std::chrono::milliseconds timeout) noexcept override;
  std::size_t capacity() const noexcept override;
  std::string name() const override;

 private:
  class Connection;
  std::shared_ptr<Connection> connection_;
};

}  // namespace satchel

#pragma GCC visibility pop
