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

/// Which version of the protocol a sink speaks.
enum class MqttVersion : std::uint8_t {
  automatic,  ///< MQTT 5, and 3.1.1 from then on when the broker refuses it
  v5,         ///< MQTT 5 only; a broker that refuses it is `blocked`
  v311,       ///< MQTT 3.1.1 only: no reason codes, no properties
};

/// Message that the broker publishes when the connection ends without a DISCONNECT (MQTT 5.0
/// section 3.1.2.5): so that others see that the device is gone.
struct MqttWill {
  /// As it is, without `topic_prefix`. Not empty.
  std::string topic;
  /// At most 65,535 bytes. Empty by default.
  std::string payload;
  /// 0 or 1. 0 where a lost will does no harm.
  int qos = 1;
  /// Whether the broker keeps it for those who subscribe later. Set it for a topic that tells a state.
  bool retain = false;
};

/// Encryption and authentication by certificates. Chain and host name are always verified; TLS 1.2 or newer.
struct MqttTls {
  /// CA certificates, PEM. Empty: `ca_path`, and if that is empty too, the system's. Set it for a broker
  /// whose certificate is of an authority of your own.
  std::string ca_file{};
  /// Directory of hashed CA certificates (`openssl rehash`). Empty: none. For several authorities that change
  /// one by one.
  std::string ca_path{};
  /// Client certificate, PEM, with `key_file`; both or none. Empty: none. Set it where the broker knows
  /// devices by certificate.
  std::string certificate_file{};
  /// The key of `certificate_file`, PEM, without a passphrase.
  std::string key_file{};
};

/// How to reach a broker and how to publish. Checked when the sink is made (`InvalidOption`).
struct MqttOptions {
  /// Name or address of the broker; with `tls` its certificate has to name it. Of a name with several
  /// addresses, one that takes the connection and does not answer comes last at the next try.
  std::string host{"localhost"};
  /// 0: 1883, or 8883 with `tls`. Set it where the broker listens elsewhere.
  std::uint16_t port = 0;
  /// Empty: a random one for each sink. Set it where the broker's rights or logs go by it. Two devices with
  /// the same id throw each other out.
  std::string client_id{};
  /// Set `v311` for a broker that takes MQTT 5 badly rather than refuse it, `v5` where 3.1.1 would lose what
  /// the receivers need.
  MqttVersion version = MqttVersion::automatic;
  /// 0 or 1. At 0 delivered means: handed to the network. 2 is not offered: it does not outlive the broker's
  /// session.
  int qos = 1;
  /// Whether the broker keeps the last message of each topic for those who subscribe later. Set it for topics
  /// that tell a state, where the broker allows it.
  bool retain = false;
  /// Put before every topic as it is: `site-7/`. Empty: nothing. Set it where a broker serves several sites.
  std::string topic_prefix{};

  /// Empty: none. Set it where the broker knows devices by user.
  std::string username{};
  /// Read at every connect, so that passwords can rotate: the first line of this file. Empty: `password`.
  std::string password_file{};
  /// Used when `password_file` is empty. Empty: none. For programs that get the secret by other ways.
  std::string password{};

  /// Nothing: no will. Set it so that others notice when the device goes without a word.
  std::optional<MqttWill> will{};
  /// Nothing: no encryption, and everything can be read on the way. Set it (`mqtts://`) outside of the
  /// device.
  std::optional<MqttTls> tls{};

  /// PINGREQ after this much silence; the broker may demand less. 5 s to 18 h. Longer where each wake-up
  /// costs power or money, shorter where a dead link must be noticed soon or a NAT forgets.
  std::chrono::seconds keep_alive{30};
  /// For name resolution, TCP, TLS and CONNACK together. 100 ms to 10 min. Longer for a link with seconds of
  /// delay.
  std::chrono::milliseconds connect_timeout{10'000};
  /// Longest wait for a PUBACK; then the connection is dropped. Nothing is ever sent again on a live one. 100
  /// ms to 1 h. Longer where a whole window takes longer to be sent, and below `Options::claim_timeout`.
  std::chrono::milliseconds ack_timeout{30'000};
  /// Unacknowledged messages at once; the broker's Receive Maximum lowers it, and so does `Options::window`.
  /// 1 to 1000. More for a link with a long round trip, less where the broker sets a limit it does not tell.
  std::size_t window = 100;
  /// MQTT 3.1.1 has no properties: wrap the payload as CloudEvents 1.0 JSON, so that id, key, created,
  /// sequence and headers travel. Without it they do not, and receivers cannot tell a copy. With MQTT 5 it
  /// has no effect. Set it where the broker may speak 3.1.1 and the receivers can unwrap.
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
  /// From `mqtt://user@host:port?name=value&...` or `mqtts://...`; the names are those of `MqttOptions`, of
  /// `MqttWill` with `will_` in front (`will_topic`), and with `mqtts` of `MqttTls` (`ca_file`, `ca_path`,
  /// `certificate_file`, `key_file`). `version` is `automatic`, `5` or `3.1.1`; durations are in milliseconds
  /// (`keep_alive` in seconds). The password comes from `password_file` or the environment variable named by
  /// `password_env`. Throws `InvalidOption`.
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
