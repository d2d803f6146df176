// SPDX-License-Identifier: MIT
// Sensor threads that do not wait for the disk: their messages are committed together. Usage: async FILE
// SINK-URL
#include <satchel/satchel.hpp>

#include <chrono>
#include <coroutine>
#include <exception>
#include <future>
#include <iostream>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

satchel::Message reading(int sensor, int number) {
  return {.topic = "plant/sensor" + std::to_string(sensor), .payload = std::to_string(number)};
}

// A thread that samples, and looks at its answers in the end.
void sample(satchel::Outbox& outbox, int sensor) {
  std::vector<std::future<satchel::MessageId>> later;
  for (int number = 0; number < 100; ++number) later.push_back(outbox.enqueue_async(reading(sensor, number)));
  for (auto& one : later) one.get();  // throws what prevented the commit
}

// The least that a coroutine needs; an application has a library for this.
struct Task {
  struct promise_type {
    std::promise<void> ended;
    Task get_return_object() { return {ended.get_future()}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() { ended.set_value(); }
    void unhandled_exception() { ended.set_exception(std::current_exception()); }
  };
  std::future<void> ended;
};

Task report(satchel::Outbox& outbox) {
  // With an executor of the application: co_await outbox.enqueue_async(message).on(executor)
  const satchel::MessageId id = co_await outbox.enqueue_async(reading(0, 0));
  std::cout << "committed " << id.to_string() << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument{"usage: async FILE SINK-URL"};
  satchel::Outbox outbox{argv[1]};
  outbox.attach(argv[2]);
  outbox.start();

  std::vector<std::thread> sensors;
  for (int sensor = 1; sensor <= 4; ++sensor) sensors.emplace_back(sample, std::ref(outbox), sensor);
  for (std::thread& sensor : sensors) sensor.join();

  report(outbox).ended.get();

  std::promise<void> told;
  outbox.enqueue_async(reading(9, 9), [&told](const satchel::EnqueueResult& result) {
    if (result.error) {
      told.set_exception(result.error);
    } else {
      told.set_value();
    }
  });
  told.get_future().get();

  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (outbox.status().pending > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  outbox.stop(5s);
  std::cout << outbox.status().delivered << " delivered\n";
  return outbox.status().pending == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
