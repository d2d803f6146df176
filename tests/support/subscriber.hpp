// SPDX-License-Identifier: MIT
#pragma once

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace support {

/// A message as a real subscriber got it.
struct Received {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retain = false;
  std::vector<std::pair<std::string, std::string>> user_properties;
  std::string content_type;
  std::optional<std::uint32_t> expiry;

  /// The value of the first user property of that name.
  std::string property(const std::string& name) const {
    for (const auto& [each, value] : user_properties) {
      if (each == name) return value;
    }
    return {};
  }
};

/// A real MQTT 5 client of a plain broker on loopback, subscribed when the constructor returns; on a thread
/// of its own.
class Subscriber {
 public:
  explicit Subscriber(std::uint16_t port, std::string filter = "#", std::string username = {},
                      std::string password = {})
      : filter_(std::move(filter)), stop_(eventfd(0, EFD_CLOEXEC)) {
    mosquitto_lib_init();
    thread_ = std::thread{[this, port, username, password] { run(port, username, password); }};
    std::unique_lock lock{mutex_};
    const bool settled =
        changed_.wait_for(lock, std::chrono::seconds{20}, [this] { return ready_ || ended_; });
    if (!settled || ended_) {
      lock.unlock();
      end();
      throw std::runtime_error{"the subscriber did not get through"};
    }
  }
  ~Subscriber() {
    end();
    close(stop_);
  }
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  /// Waits until `count` messages have come; all of them so far, in order.
  std::vector<Received> wait(std::size_t count,
                             std::chrono::milliseconds patience = std::chrono::seconds{60}) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, patience, [&] { return received_.size() >= count; });
    return received_;
  }

  /// The connection to the broker has ended.
  bool wait_end(std::chrono::milliseconds patience = std::chrono::seconds{20}) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [this] { return ended_; });
  }

 private:
  void end() {
    const std::uint64_t one = 1;
    static_cast<void>(::write(stop_, &one, sizeof one));
    if (thread_.joinable()) thread_.join();
  }

  void run(std::uint16_t port, const std::string& username, const std::string& password) {
    mosquitto* handle = mosquitto_new(nullptr, true, this);
    mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(handle, MOSQ_OPT_RECEIVE_MAXIMUM, 65535);
    if (!username.empty()) mosquitto_username_pw_set(handle, username.c_str(), password.c_str());
    mosquitto_connect_callback_set(handle, [](mosquitto* m, void* self, int) {
      mosquitto_subscribe(m, nullptr, static_cast<Subscriber*>(self)->filter_.c_str(), 1);
    });
    mosquitto_subscribe_callback_set(handle, [](mosquitto*, void* self, int, int, const int*) {
      auto& subscriber = *static_cast<Subscriber*>(self);
      const std::lock_guard lock{subscriber.mutex_};
      subscriber.ready_ = true;
      subscriber.changed_.notify_all();
    });
    mosquitto_message_v5_callback_set(handle, take);
    if (mosquitto_connect(handle, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS) loop(handle);
    mosquitto_destroy(handle);
    const std::lock_guard lock{mutex_};
    ended_ = true;
    changed_.notify_all();
  }

  void loop(mosquitto* handle) const {
    int result = MOSQ_ERR_SUCCESS;
    while (result == MOSQ_ERR_SUCCESS && mosquitto_socket(handle) >= 0) {
      pollfd fds[2] = {{stop_, POLLIN, 0}, {mosquitto_socket(handle), POLLIN, 0}};
      if (mosquitto_want_write(handle)) fds[1].events |= POLLOUT;
      ::poll(fds, 2, 1000);
      if (fds[0].revents != 0) return;
      if ((fds[1].revents & POLLOUT) != 0) result = mosquitto_loop_write(handle, 1);
      if (result == MOSQ_ERR_SUCCESS && (fds[1].revents & ~POLLOUT) != 0)
        result = mosquitto_loop_read(handle, 100);
      if (result == MOSQ_ERR_SUCCESS) result = mosquitto_loop_misc(handle);
    }
  }

  static void take(mosquitto*, void* self, const mosquitto_message* message,
                   const mosquitto_property* properties) {
    Received received;
    received.topic = message->topic;
    received.payload.assign(static_cast<const char*>(message->payload),
                            static_cast<std::size_t>(message->payloadlen));
    received.qos = message->qos;
    received.retain = message->retain;
    char* name = nullptr;
    char* value = nullptr;
    const mosquitto_property* at =
        mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY, &name, &value, false);
    while (at != nullptr) {
      received.user_properties.emplace_back(name, value);
      std::free(name);
      std::free(value);
      at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, true);
    }
    if (mosquitto_property_read_string(properties, MQTT_PROP_CONTENT_TYPE, &value, false) != nullptr) {
      received.content_type = value;
      std::free(value);
    }
    std::uint32_t seconds = 0;
    if (mosquitto_property_read_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, &seconds, false) !=
        nullptr) {
      received.expiry = seconds;
    }
    auto& subscriber = *static_cast<Subscriber*>(self);
    const std::lock_guard lock{subscriber.mutex_};
    subscriber.received_.push_back(std::move(received));
    subscriber.changed_.notify_all();
  }

  // constant after construction
  const std::string filter_;
  const int stop_;
  // guarded by mutex_
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Received> received_;
  bool ready_ = false;
  bool ended_ = false;
  // the owner's thread only
  std::thread thread_;
};

}  // namespace support
