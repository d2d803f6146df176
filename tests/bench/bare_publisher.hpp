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
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// The baseline: libmosquitto driven from one poll loop, messages from memory, QoS 1, MQTT 5. Nothing is
/// stored.
class BarePublisher {
 public:
  /// Connected when it returns.
  explicit BarePublisher(std::uint16_t port) : client_{make(this), mosquitto_destroy} {
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
    if (mosquitto_connect(client_.get(), "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS)
      throw std::runtime_error{"the broker is away"};
    const int yes = 1;
    setsockopt(mosquitto_socket(client_.get()), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    while (!connected_) round(std::nullopt);
  }

  /// Publishes them with so many unacknowledged at a time. Returns after the last PUBACK: the seconds from
  /// the one of message number `from` on.
  double drain(std::size_t messages, const std::string& payload, std::size_t window, std::size_t from = 0) {
    const std::size_t until = acknowledged_ + messages;
    const std::size_t mark = acknowledged_ + from;
    std::size_t sent = acknowledged_;
    auto begin = std::chrono::steady_clock::now();
    while (acknowledged_ < until) {
      for (; sent < until && sent - acknowledged_ < window; ++sent) publish(payload);
      const bool before = acknowledged_ < mark;
      round(std::nullopt);
      if (before && acknowledged_ >= mark) begin = std::chrono::steady_clock::now();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  /// Publishes one and waits for its PUBACK.
  void exchange(const std::string& payload) { drain(1, payload, 1); }

  /// Publishes so many a second, one at a time; the time from each publish to its PUBACK in microseconds.
  std::vector<double> round_trips(std::size_t messages, const std::string& payload, double rate) {
    using Clock = std::chrono::steady_clock;
    const auto pause = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{1 / rate});
    std::vector<double> found;
    auto due = Clock::now();
    for (std::size_t i = 0; i < messages; ++i, due += pause) {
      while (Clock::now() < due) round(due - Clock::now());
      const auto begin = Clock::now();
      exchange(payload);
      found.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    return found;
  }

 private:
  static mosquitto* make(void* self) {
    mosquitto_lib_init();
    return mosquitto_new(nullptr, true, self);
  }

  void publish(const std::string& payload) {
    const int size = static_cast<int>(payload.size());
    if (mosquitto_publish_v5(client_.get(), nullptr, "bench", size, payload.data(), 1, false, nullptr) !=
        MOSQ_ERR_SUCCESS)
      throw std::runtime_error{"publish failed"};
  }

  /// Waits for the socket, a minute or as long as it is told, and serves it.
  void round(std::optional<std::chrono::nanoseconds> patience) {
    short events = POLLIN;
    if (mosquitto_want_write(client_.get())) events |= POLLOUT;
    pollfd polled{mosquitto_socket(client_.get()), events, 0};
    const timespec span{patience ? 0 : 60, patience ? std::max<std::int64_t>(patience->count(), 0) : 0};
    const timespec whole{span.tv_sec + span.tv_nsec / 1'000'000'000, span.tv_nsec % 1'000'000'000};
    if (ppoll(&polled, 1, &whole, nullptr) <= 0) {
      if (patience) return;
      throw std::runtime_error{"the broker is silent"};
    }
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

}  // namespace bench
