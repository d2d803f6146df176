// SPDX-License-Identifier: MIT
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <doctest/doctest.h>

#include <poll.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

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
