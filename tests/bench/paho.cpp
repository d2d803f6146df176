// SPDX-License-Identifier: MIT
//
// A baseline: Paho's asynchronous C client, which keeps what it could not send in a file a message.
#include "bench/figures.hpp"
#include "bench/memory.hpp"
#include "support/broker.hpp"
#include "support/temp_dir.hpp"

#include <MQTTAsync.h>
#include <malloc.h>

#include <condition_variable>
#include <mutex>

namespace {

using bench::Figures;

/// A client that is not connected takes messages; then it is connected, and sends them.
class Paho {
 public:
  Paho(std::uint16_t port, const std::string& directory, std::size_t most) {
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.sendWhileDisconnected = 1;
    options.allowDisconnectedSendAtAnyTime = 1;
    options.maxBufferedMessages = static_cast<int>(most);
    const std::string address = "tcp://127.0.0.1:" + std::to_string(port);
    check(MQTTAsync_createWithOptions(&client_, address.c_str(), "bench", MQTTCLIENT_PERSISTENCE_DEFAULT,
                                      const_cast<char*>(directory.c_str()), &options));
  }
  ~Paho() {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnect(client_, &options);
    MQTTAsync_destroy(&client_);
  }
  Paho(const Paho&) = delete;
  Paho& operator=(const Paho&) = delete;

  void send(const std::string& payload) {
    MQTTAsync_message message = MQTTAsync_message_initializer;
    message.payload = const_cast<char*>(payload.data());
    message.payloadlen = static_cast<int>(payload.size());
    message.qos = 1;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = this;
    response.onSuccess = [](void* self, MQTTAsync_successData*) { static_cast<Paho*>(self)->answered(); };
    check(MQTTAsync_sendMessage(client_, "bench", &message, &response));
  }
  void connect() {
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.maxInflight = 100;
    options.cleansession = 0;
    check(MQTTAsync_connect(client_, &options));
  }
  void wait(std::size_t count) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, std::chrono::minutes{5}, [&] { return answers_ >= count; }))
      throw std::runtime_error{"Paho did not deliver everything"};
  }

 private:
  static void check(int result) {
    if (result != MQTTASYNC_SUCCESS) throw std::runtime_error{"Paho says " + std::to_string(result)};
  }
  void answered() {
    const std::lock_guard lock{mutex_};
    ++answers_;
    changed_.notify_all();
  }

  MQTTAsync client_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t answers_ = 0;
};

Figures store_and_drain(std::uint16_t port, std::size_t messages) {
  const support::TempDir directory;
  Paho paho{port, directory.path(), messages + 10};
  const std::string payload(100, 'x');
  // What an earlier repetition left would hide what this one takes.
  malloc_trim(0);
  const double memory = bench::resident_memory_kib();
  const bench::Meter storing;
  for (std::size_t i = 0; i < messages; ++i) paho.send(payload);
  const double stored = static_cast<double>(messages) / storing.seconds();
  const double grown = (bench::resident_memory_kib() - memory) * 1024 / static_cast<double>(messages);
  const bench::Meter meter;
  paho.connect();
  paho.wait(messages);
  Figures figures = meter.each(static_cast<double>(messages));
  figures.emplace_back("stored_rate", stored);
  figures.emplace_back("memory_bytes_each", grown);
  return figures;
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"drain", count, words};
    const support::Broker broker;
    const auto messages = program.sized<std::size_t>(10'000, 1'000);
    program.row("MQTT, 100 B, stored first",
                {{"Paho C, a file a message", [&] { return store_and_drain(broker.port(), messages); }}});
  });
}
