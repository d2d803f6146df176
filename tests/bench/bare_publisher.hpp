// SPDX-License-Identifier: MIT
#pragma once

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace support {

/// The baseline: libmosquitto driven from one poll loop, messages from memory, QoS 1, MQTT 5, so many
/// unacknowledged at a time. Nothing is stored.
class BarePublisher {
 public:
  /// Seconds from the first publish to the last PUBACK.
  static double run(std::uint16_t port, std::size_t messages, const std::string& payload,
                    std::size_t window) {
    mosquitto_lib_init();
    BarePublisher publisher{port};
    publisher.until([&] { return publisher.connected_; });
    const auto start = std::chrono::steady_clock::now();
    std::size_t sent = 0;
    while (publisher.acknowledged_ < messages) {
      while (sent < messages && sent - publisher.acknowledged_ < window) {
        const int size = static_cast<int>(payload.size());
        if (mosquitto_publish_v5(publisher.client_.get(), nullptr, "bench", size, payload.data(), 1, false,
                                 nullptr) != MOSQ_ERR_SUCCESS) {
          throw std::runtime_error{"publish failed"};
        }
        ++sent;
      }
      publisher.round();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  explicit BarePublisher(std::uint16_t port)
      : client_{mosquitto_new(nullptr, true, this), mosquitto_destroy} {
    mosquitto_int_option(client_.get(), MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(client_.get(), MOSQ_OPT_SEND_MAXIMUM, 65'535);
    mosquitto_connect_v5_callback_set(client_.get(),
                                      [](mosquitto*, void* self, int, int, const mosquitto_property*) {
                                        static_cast<BarePublisher*>(self)->connected_ = true;
                                      });
    mosquitto_publish_v5_callback_set(client_.get(),
                                      [](mosquitto*, void* self, int, int, const mosquitto_property*) {
                                        ++static_cast<BarePublisher*>(self)->acknowledged_;
                                      });
    if (mosquitto_connect(client_.get(), "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS) {
      throw std::runtime_error{"the broker is away"};
    }
    const int yes = 1;
    setsockopt(mosquitto_socket(client_.get()), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }

  template <class Condition>
  void until(Condition condition) {
    while (!condition()) round();
  }

  void round() {
    short events = POLLIN;
    if (mosquitto_want_write(client_.get())) events |= POLLOUT;
    pollfd polled{mosquitto_socket(client_.get()), events, 0};
    if (poll(&polled, 1, 60'000) <= 0) throw std::runtime_error{"the broker is silent"};
    int result = MOSQ_ERR_SUCCESS;
    if ((polled.revents & POLLIN) != 0) result = mosquitto_loop_read(client_.get(), 100);
    if (result == MOSQ_ERR_SUCCESS && (polled.revents & POLLOUT) != 0)
      result = mosquitto_loop_write(client_.get(), 100);
    if (result == MOSQ_ERR_SUCCESS) result = mosquitto_loop_misc(client_.get());
    if (result != MOSQ_ERR_SUCCESS) throw std::runtime_error{"the connection broke"};
  }

  std::unique_ptr<mosquitto, decltype(&mosquitto_destroy)> client_;
  bool connected_ = false;
  std::size_t acknowledged_ = 0;
};

}  // namespace support
