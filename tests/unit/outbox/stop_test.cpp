// SPDX-License-Identifier: MIT
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <doctest/doctest.h>

#include <poll.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using std::chrono::seconds;

TEST_CASE("outbox: a stop is seen whose wake the relay takes back at the start of a round") {
  // Lets `stop` run between the moment at which the relay asks whether to stop and the one at which it takes
  // back its wake.
  class Interrupted final : public satchel::Clock {
   public:
    satchel::BootTime now() const noexcept override {
      if (armed_ && relay_ == std::this_thread::get_id()) {
        armed_ = false;
        begun.set_value();
        pollfd wake{descriptor_, POLLIN, 0};
        CHECK(poll(&wake, 1, 60'000) == 1);
      }
      return real_->now();
    }
    satchel::WallReading wall() const noexcept override { return real_->wall(); }
    std::string boot_id() const override { return real_->boot_id(); }
    void wait(std::span<const int> descriptors, std::optional<satchel::BootTime> until) const override {
      pollfd wake{descriptors[0], POLLIN, 0};
      const bool quiet = poll(&wake, 1, 0) == 0;
      if (!quiet || relay_ != std::thread::id{}) return real_->wait(descriptors, until);
      relay_ = std::this_thread::get_id();
      descriptor_ = descriptors[0];
      armed_ = true;
    }
    mutable std::promise<void> begun;

   private:
    const std::shared_ptr<Clock> real_ = satchel::system_clock();
    // Relay thread only, but for the question whose thread it is.
    mutable std::atomic<std::thread::id> relay_{};
    mutable std::atomic<bool> armed_ = false;
    mutable int descriptor_ = -1;
  };
  const auto clock = std::make_shared<Interrupted>();
  satchel::Options options;
  options.clock = clock;
  const support::TempDir directory;
  satchel::Outbox outbox{directory.path() + "/device.db", options};
  outbox.attach(std::make_unique<support::EchoSink>(std::make_shared<support::Echo>()));
  outbox.start();
  clock->begun.get_future().wait();
  CHECK(outbox.stop(seconds{5}));
}

TEST_CASE("outbox: stop for as long as it takes waits for the receipts") {
  std::promise<void> sent;
  std::promise<void> answer;
  const auto answered = answer.get_future().share();
  const support::TempDir directory;
  satchel::Outbox outbox{directory.path() + "/device.db"};
  outbox.attach(
      std::make_unique<support::EchoSink>(std::make_shared<support::Echo>(), [&](const satchel::Delivery&) {
        sent.set_value();
        answered.wait();
        return satchel::delivered();
      }));
  outbox.enqueue({.topic = "t"});
  outbox.start();
  sent.get_future().wait();
  auto stopped =
      std::async(std::launch::async, [&] { return outbox.stop(std::chrono::milliseconds::max()); });
  answer.set_value();
  CHECK(stopped.get());
  CHECK(outbox.status().pending == 0);
}

namespace {

/// Does something the first time that a message was delivered.
class OnDelivery final : public satchel::Observer {
 public:
  void delivered(const satchel::MessageId&, int) noexcept override {
    if (auto once = std::exchange(action, {})) once();
  }
  std::function<void()> action;
};

/// Notes that it was stopped.
class StopNotingSink final : public satchel::Sink {
 public:
  explicit StopNotingSink(std::shared_ptr<std::atomic<int>> stops) : stops_{std::move(stops)} {}
  void start(satchel::SinkEvents& events) override { echo_.start(events); }
  void resume() override { echo_.resume(); }
  void send(std::vector<satchel::Delivery> batch) override { echo_.send(std::move(batch)); }
  void reset() override { echo_.reset(); }
  void stop(std::chrono::milliseconds) noexcept override { ++*stops_; }
  std::size_t capacity() const noexcept override { return echo_.capacity(); }
  std::string name() const override { return echo_.name(); }

 private:
  const std::shared_ptr<std::atomic<int>> stops_;
  support::EchoSink echo_{std::make_shared<support::Echo>()};
};

/// An outbox that `run_once` drives, with a message for it.
struct Driven {
  explicit Driven(std::function<void()> on_delivery) {
    satchel::Options options;
    const auto observer = std::make_shared<OnDelivery>();
    observer->action = std::move(on_delivery);
    options.observer = observer;
    outbox.emplace(directory.path() + "/device.db", options);
    outbox->attach(std::make_unique<StopNotingSink>(stops));
    outbox->enqueue({.topic = "t"});
  }
  void run() {
    while (outbox->run_once()) {
    }
  }

  const std::shared_ptr<std::atomic<int>> stops = std::make_shared<std::atomic<int>>(0);
  const support::TempDir directory;
  std::optional<satchel::Outbox> outbox;
};

}  // namespace

TEST_CASE("outbox: a stop inside run_once only asks for it, and is carried out at the end of that") {
  std::optional<bool> stopped;
  Driven* self = nullptr;
  Driven driven{[&] {
    stopped = self->outbox->stop(std::chrono::milliseconds::max());
    CHECK(*self->stops == 0);
    // They would wait for themselves.
    CHECK_THROWS_AS(self->outbox->run_once(), satchel::UsageError);
    CHECK_THROWS_AS(self->outbox->start(), satchel::UsageError);
  }};
  self = &driven;
  driven.run();
  CHECK(stopped == false);
  CHECK(*driven.stops == 1);
  CHECK_THROWS_AS(driven.outbox->run_once(), satchel::UsageError);
  CHECK(driven.outbox->stop(seconds{5}));
}

TEST_CASE("outbox: a stop does not wait longer than its time for a callback inside run_once") {
  std::promise<void> inside;
  std::promise<void> go_on;
  Driven driven{[&] {
    inside.set_value();
    go_on.get_future().wait();
  }};
  std::thread runs{[&] { driven.run(); }};
  inside.get_future().wait();
  auto stopped =
      std::async(std::launch::async, [&] { return driven.outbox->stop(std::chrono::milliseconds{50}); });
  const bool in_time = stopped.wait_for(seconds{30}) == std::future_status::ready;
  CHECK(in_time);
  CHECK(*driven.stops == 0);
  go_on.set_value();
  runs.join();
  CHECK_FALSE(stopped.get());
  // What nobody waits for any more is carried out all the same.
  CHECK(*driven.stops == 1);
  CHECK(driven.outbox->stop(seconds{5}));
}

TEST_CASE("outbox: a stop that has the time carries out itself what run_once leaves") {
  std::promise<void> inside;
  std::promise<void> go_on;
  bool called = false;
  Driven driven{[&] {
    called = true;
    inside.set_value();
    go_on.get_future().wait();
  }};
  std::thread runs{[&] {
    while (!called) driven.outbox->run_once();
  }};
  inside.get_future().wait();
  auto stopped =
      std::async(std::launch::async, [&] { return driven.outbox->stop(std::chrono::milliseconds::max()); });
  go_on.set_value();
  runs.join();
  CHECK(stopped.get());
  CHECK(*driven.stops == 1);
}

TEST_CASE("outbox: a second stop that allows less ends the first one") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/device.db";
  satchel::Outbox outbox{path};
  std::promise<void> asked;
  auto sink = std::make_unique<satchel::testing::ScriptedSink>();
  sink->answer([&](const satchel::Delivery&) -> std::optional<satchel::Receipt> {
    // On the relay's own thread it only asks.
    CHECK_FALSE(outbox.stop(std::chrono::hours{20}));
    asked.set_value();
    return std::nullopt;
  });
  outbox.attach(std::move(sink));
  outbox.enqueue({.topic = "t"});
  outbox.start();
  asked.get_future().wait();
  CHECK_FALSE(outbox.stop(std::chrono::milliseconds{0}));
  // Its thread has ended, and so another one leads.
  satchel::Outbox next{path};
  const auto echo = std::make_shared<support::Echo>();
  next.attach(std::make_unique<support::EchoSink>(echo));
  while (next.run_once()) {
  }
  CHECK(echo->taken().size() == 1);
}
