// SPDX-License-Identifier: MIT
#include "sinks/mqtt/client.hpp"

#include "sinks/mqtt/refusal.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <fcntl.h>
#include <mqtt_protocol.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <new>
#include <system_error>

namespace satchel::mqtt {
namespace {

constexpr int kSendBufferBytes = 256 << 10;

void append_text(const mosquitto_property* properties, int identifier, std::string& detail) {
  char* text = nullptr;
  if (mosquitto_property_read_string(properties, identifier, &text, false) == nullptr) return;
  if (!detail.empty()) detail += ", ";
  detail += text;
  // NOLINTNEXTLINE(cppcoreguidelines-no-malloc): libmosquitto hands the string over.
  free(text);
}

std::string detail_of(const mosquitto_property* properties) {
  std::string detail;
  append_text(properties, MQTT_PROP_REASON_STRING, detail);
  append_text(properties, MQTT_PROP_SERVER_REFERENCE, detail);
  return detail;
}

/// Properties of one PUBLISH; frees them.
class Properties {
 public:
  Properties() = default;
  ~Properties() { mosquitto_property_free_all(&list_); }
  Properties(const Properties&) = delete;
  Properties& operator=(const Properties&) = delete;

  int fill(const Packet& packet) {
    if (packet.expiry_seconds != 0) {
      keep(mosquitto_property_add_int32(&list_, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, packet.expiry_seconds));
    }
    if (!packet.content_type.empty()) {
      const std::string type(packet.content_type);
      keep(mosquitto_property_add_string(&list_, MQTT_PROP_CONTENT_TYPE, type.c_str()));
    }
    for (const auto& [name, value] : packet.user_properties) {
      keep(mosquitto_property_add_string_pair(&list_, MQTT_PROP_USER_PROPERTY, name.c_str(), value.c_str()));
    }
    return result_;
  }
  const mosquitto_property* get() const { return list_; }

 private:
  void keep(int result) {
    if (result_ == MOSQ_ERR_SUCCESS) result_ = result;
  }
  mosquitto_property* list_ = nullptr;
  int result_ = MOSQ_ERR_SUCCESS;
};

/// mosquitto_new sets SIGPIPE to be ignored for the whole process: not a library's business. The network
/// thread blocks it.
mosquitto* new_handle(const std::string& client_id, void* self) {
  struct sigaction before {};
  sigaction(SIGPIPE, nullptr, &before);
  mosquitto* handle = mosquitto_new(client_id.c_str(), true, self);
  const int error = errno;
  sigaction(SIGPIPE, &before, nullptr);
  if (handle == nullptr) throw std::system_error{error, std::generic_category(), "mosquitto_new"};
  return handle;
}

void demand(int result, const char* what) {
  if (result == MOSQ_ERR_NOMEM) throw std::bad_alloc{};
  if (result != MOSQ_ERR_SUCCESS) {
    throw Refusal{verdicts::classify(verdicts::Source::mosquitto_connection, result, what)};
  }
}

}  // namespace

void initialise_library() {
  static std::once_flag once;
  std::call_once(once, [] { mosquitto_lib_init(); });
}

Client::Client(const MqttOptions& options, const Login& login, int protocol) : protocol_(protocol) {
  initialise_library();
  if (options.tls) tls_context_ = make_tls_context(*options.tls, options.host, tls_outcome_);
  handle_ = new_handle(login.client_id, this);
  try {
    apply(options, login);
  } catch (...) {
    mosquitto_destroy(handle_);
    throw;
  }
}

Client::~Client() {
  // No callback may come from here on: what they note belongs to a connection that its owner has given up.
  mosquitto_disconnect_v5_callback_set(handle_, nullptr);
  mosquitto_destroy(handle_);
  ERR_clear_error();
}

void Client::apply(const MqttOptions& options, const Login& login) {
  demand(mosquitto_int_option(handle_, MOSQ_OPT_PROTOCOL_VERSION, protocol_), "MQTT version");
  demand(mosquitto_int_option(handle_, MOSQ_OPT_TCP_NODELAY, 1), "TCP_NODELAY");
  // The library's own window (20 by default) would queue what we send beyond it; ours is the one that counts.
  demand(mosquitto_int_option(handle_, MOSQ_OPT_SEND_MAXIMUM, static_cast<int>(options.window)), "window");
  if (!login.username.empty()) {
    const char* password = login.password.empty() ? nullptr : login.password.c_str();
    demand(mosquitto_username_pw_set(handle_, login.username.c_str(), password), "user name or password");
  }
  if (options.will) {
    const MqttWill& will = *options.will;
    demand(mosquitto_will_set(handle_, will.topic.c_str(), static_cast<int>(will.payload.size()),
                              will.payload.data(), will.qos, will.retain),
           "will");
  }
  if (tls_context_) {
    demand(mosquitto_void_option(handle_, MOSQ_OPT_SSL_CTX, tls_context_.get()), "TLS");
    demand(mosquitto_int_option(handle_, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0), "TLS");
  }
  // "Threaded" means that the library queues and leaves writing to mosquitto_loop_write. Until CONNACK that
  // is what is wanted: a CONNECT written at once can break a connection before the refusal that waits in the
  // socket is read.
  demand(mosquitto_threaded_set(handle_, true), "threads");
  mosquitto_connect_v5_callback_set(handle_, on_connect);
  mosquitto_disconnect_v5_callback_set(handle_, on_disconnect);
  mosquitto_publish_v5_callback_set(handle_, on_publish);
  mosquitto_log_callback_set(handle_, on_log);
}

int Client::connect(const std::string& address, std::uint16_t port, std::chrono::seconds keep_alive) {
  ERR_clear_error();
  const int result = mosquitto_connect_bind_async(handle_, address.c_str(), port,
                                                  static_cast<int>(keep_alive.count()), nullptr);
  const int error = errno;
  if (const int descriptor = socket(); descriptor >= 0) {
    // A process that the application starts would hold the connection open when this one ends.
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof(kSendBufferBytes));
  }
  errno = error;
  return result;
}

int Client::socket() const noexcept { return mosquitto_socket(handle_); }

bool Client::wants_write() const noexcept {
  const auto* ssl = static_cast<const SSL*>(mosquitto_ssl_get(handle_));
  // During the handshake the queued CONNECT makes the library want to write, while the socket is writable and
  // the handshake waits for the peer: polling for POLLOUT would spin.
  if (ssl != nullptr && SSL_in_init(ssl) != 0) return !tcp_established() || SSL_want_write(ssl);
  return mosquitto_want_write(handle_);
}

bool Client::has_backlog() const noexcept { return mosquitto_want_write(handle_); }

bool Client::tcp_established() const noexcept {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  return getpeername(socket(), reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

void Client::forget_tls_errors() const noexcept {
  // Of a plain connection nobody asks for them, and clearing is dear at every message.
  if (tls_context_) ERR_clear_error();
}

int Client::write() {
  forget_tls_errors();
  auto* ssl = established_ ? nullptr : static_cast<SSL*>(mosquitto_ssl_get(handle_));
  if (ssl == nullptr) return mosquitto_loop_write(handle_, 1);
  TlsRest rest{ssl, socket()};
  const int result = mosquitto_loop_write(handle_, 1);
  if (result != MOSQ_ERR_SUCCESS) rest.read();
  return result;
}

int Client::keep_alive() { return mosquitto_loop_misc(handle_); }

int Client::publish(const Packet& packet, const MqttOptions& options, int& packet_id) {
  forget_tls_errors();
  Properties properties;
  if (protocol_ == MQTT_PROTOCOL_V5) {
    if (const int result = properties.fill(packet); result != MOSQ_ERR_SUCCESS) return result;
  }
  // libmosquitto takes C strings: a NUL would cut the topic short and send the message elsewhere.
  if (packet.topic.find('\0') != std::string::npos) return MOSQ_ERR_INVAL;
  const int result =
      mosquitto_publish_v5(handle_, &packet_id, packet.topic.c_str(), static_cast<int>(packet.payload.size()),
                           packet.payload.data(), options.qos, options.retain, properties.get());
  if (options.qos > 0) unanswered_.set(static_cast<std::uint16_t>(packet_id));
  return result;
}

void Client::cork(bool on) noexcept {
  // libmosquitto writes each packet by itself; without the cork a batch becomes as many TCP segments as
  // messages.
  const int value = on ? 1 : 0;
  setsockopt(socket(), IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

int Client::disconnect() { return mosquitto_disconnect_v5(handle_, MQTT_RC_NORMAL_DISCONNECTION, nullptr); }

void Client::established() noexcept {
  mosquitto_threaded_set(handle_, false);
  mosquitto_log_callback_set(handle_, nullptr);
  established_ = true;
}

void Client::on_connect(mosquitto*, void* self, int code, int, const mosquitto_property* properties) {
  Connack connack;
  connack.code = code;
  connack.detail = detail_of(properties);
  std::uint16_t receive_maximum = 0;
  if (mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum, false) !=
      nullptr) {
    connack.receive_maximum = receive_maximum;
  }
  mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &connack.maximum_packet_size,
                                false);
  std::uint16_t keep_alive = 0;
  if (mosquitto_property_read_int16(properties, MQTT_PROP_SERVER_KEEP_ALIVE, &keep_alive, false) != nullptr) {
    connack.keep_alive = keep_alive;
  }
  std::uint8_t byte = 0;
  if (mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &byte, false) != nullptr) {
    connack.maximum_qos = byte;
  }
  if (mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &byte, false) != nullptr) {
    connack.retain_available = byte != 0;
  }
  static_cast<Client*>(self)->connack_ = std::move(connack);
  static_cast<Client*>(self)->end_packet();
}

void Client::on_disconnect(mosquitto*, void* self, int code, const mosquitto_property* properties) {
  static_cast<Client*>(self)->end_packet();
  auto& noted = static_cast<Client*>(self)->disconnect_;
  // No properties with libmosquitto 2.0.11, which frees them before it calls: the reason string is lost then.
  // After a DISCONNECT the library goes on reading, and reports the missing socket as a second end.
  if (!noted) noted = Disconnect{code, detail_of(properties)};
}

void Client::on_publish(mosquitto*, void* self, int id, int code, const mosquitto_property* properties) {
  Ack ack{id, code, {}};
  if (code >= 0x80) ack.detail = detail_of(properties);
  auto& client = *static_cast<Client*>(self);
  client.unanswered_.reset(static_cast<std::uint16_t>(id));
  client.acks_.push_back(std::move(ack));
  client.end_packet();
}

void Client::on_log(mosquitto*, void* self, int level, const char* text) {
  if (level == MOSQ_LOG_ERR && text != nullptr) static_cast<Client*>(self)->last_error_ = text;
  static_cast<Client*>(self)->end_packet();
}

}  // namespace satchel::mqtt
