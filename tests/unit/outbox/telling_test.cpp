// SPDX-License-Identifier: MIT
//
// What an outbox tells a log and the service manager.
#include "support/echo_sink.hpp"
#include "support/service_manager.hpp"
#include "support/temp_dir.hpp"

#include <satchel/log.hpp>
#include <satchel/satchel.hpp>
#include <satchel/systemd.hpp>

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using satchel::LogLevel;
using std::chrono::milliseconds;
using support::Echo;
using support::EchoSink;
using support::ServiceManager;
using support::TempDir;

TEST_CASE("systemd: ready, watchdog and stopping arrive, the watchdog from the relay thread") {
  const TempDir directory;
  for (const std::string& name :
       {directory.path() + "/notify", "@satchel-test-" + std::to_string(::getpid())}) {
    const ServiceManager manager{name};
    setenv("WATCHDOG_USEC", "40000", 1);
    const auto notifier = std::make_shared<satchel::SystemdNotifier>();
    CHECK(notifier->heartbeat_interval() == milliseconds{10});
    satchel::Options options;
    options.observer = notifier;
    satchel::Outbox outbox{directory.path() + "/device.db", options};
    outbox.attach(std::make_unique<EchoSink>(std::make_shared<Echo>()));
    CHECK(notifier->ready());
    CHECK(manager.next() == "READY=1");
    CHECK_MESSAGE(manager.next(100).empty(), "no relay thread runs, so nobody vouches for it");
    outbox.start();
    int beats = 0;
    bool told = false;
    for (int texts = 0; texts < 50 && beats < 5; ++texts) {
      const std::string text = manager.next();
      beats += text == "WATCHDOG=1" ? 1 : 0;
      told = told || text.starts_with("STATUS=");
    }
    CHECK(beats == 5);
    CHECK(told);
    outbox.stop(milliseconds{5000});
    CHECK(notifier->stopping());
    std::string last;
    for (std::string text = manager.next(0); !text.empty(); text = manager.next(0)) last = text;
    CHECK(last == "STOPPING=1");
  }
}

TEST_CASE("systemd: the watchdog of another process is left alone, and without a socket nothing is sent") {
  {
    const satchel::SystemdNotifier nobody;
    CHECK_FALSE(nobody.ready());
    CHECK(nobody.heartbeat_interval() == milliseconds{0});
  }
  const TempDir directory;
  const ServiceManager manager{directory.path() + "/notify"};
  setenv("WATCHDOG_USEC", "40000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  CHECK(satchel::SystemdNotifier{}.heartbeat_interval() == milliseconds{0});
  setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  CHECK(satchel::SystemdNotifier{}.heartbeat_interval() == milliseconds{10});
  satchel::SystemdNotifier notifier;
  notifier.sink_down("mqtt", "first\nREADY=1", true, milliseconds{1});
  CHECK(manager.next() == "STATUS=mqtt is blocked: first READY=1");
}

TEST_CASE(
    "log: lines have levels, those below the least are not made, and nothing from outside ends a line") {
  std::vector<std::string> lines;
  const auto keep = [&](LogLevel level, std::string_view line) {
    lines.push_back(std::string{to_string(level)} + " " + std::string{line});
  };
  const auto log = satchel::log_to(keep);
  log->delivered({}, 0);
  CHECK(lines.empty());
  log->sink_up("mqtt");
  log->sink_down("mqtt", "bad\nerror forged\x1b[0m", false, milliseconds{5});
  log->died({}, satchel::DeadReason::rejected, "too large");
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "info sink mqtt is up");
  CHECK(lines[1].find("warning sink mqtt is down: bad error forged [0m; check the network") == 0);
  CHECK(lines[2].find("error dead letter ") == 0);
  CHECK(lines[2].find("(rejected): too large") != std::string::npos);

  lines.clear();
  // Passed on; and a callback that throws stops nothing.
  const auto both = satchel::log_to([](LogLevel, std::string_view) { throw std::runtime_error{"full"}; },
                                    LogLevel::debug, satchel::log_to(keep, LogLevel::debug));
  both->delivered({}, 2);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("debug delivered ") == 0);
}

TEST_CASE("outbox: a relay with nothing to do rests, whenever it began") {
  // Virtual time that jumps to what is waited for.
  constexpr std::int64_t kStart = 100'000'000;
  constexpr std::int64_t kEnd = kStart + 20'000'000;
  class Jumping final : public satchel::Clock {
    using microseconds = std::chrono::microseconds;

   public:
    satchel::BootTime now() const noexcept override { return satchel::BootTime{microseconds{now_.load()}}; }
    satchel::WallReading wall() const noexcept override { return real_->wall(); }
    std::string boot_id() const override { return real_->boot_id(); }
    void wait(std::span<const int> descriptors, std::optional<satchel::BootTime> until) const override {
      const bool over = ++waits_ > 1000 || now_ > kEnd;
      if (over && !std::exchange(ended_, true)) end.set_value();
      if (over || !until) return real_->wait(descriptors, std::nullopt);
      pollfd wake{descriptors[0], POLLIN, 0};
      if (poll(&wake, 1, 0) == 0) now_ = std::max(now_.load(), until->time_since_epoch().count());
    }
    void advance(microseconds time) { now_ += time.count(); }
    int waits() const { return waits_; }
    mutable std::promise<void> end;

   private:
    const std::shared_ptr<Clock> real_ = satchel::system_clock();
    mutable std::atomic<std::int64_t> now_ = kStart;
    mutable std::atomic<int> waits_ = 0;
    mutable bool ended_ = false;  // relay thread only
  };
  // So that time goes on.
  struct Ticking final : satchel::Observer {
    milliseconds heartbeat_interval() const noexcept override { return std::chrono::seconds{1}; }
  };
  const auto clock = std::make_shared<Jumping>();
  satchel::Options options;
  options.clock = clock;
  options.observer = std::make_shared<Ticking>();
  const TempDir directory;
  satchel::Outbox outbox{directory.path() + "/device.db", options};
  outbox.attach(EchoSink{std::make_shared<Echo>()});
  clock->advance(std::chrono::milliseconds{900});
  outbox.start();
  REQUIRE(clock->end.get_future().wait_for(std::chrono::minutes{1}) == std::future_status::ready);
  CHECK(clock->waits() < 100);
  outbox.stop(std::chrono::seconds{5});
}
