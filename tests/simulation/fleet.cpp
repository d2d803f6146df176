// SPDX-License-Identifier: MIT
//
// 10,000 devices lose their broker at the same moment and get it back an hour later. Each has the library's
// own route, jitter, backoff and window, and the clock is virtual. What is asked: how many attempts to
// connect does the broker see in one second, and how many messages.
//
// The bounds. A device that has failed often enough draws each pause evenly from zero to the cap, so that N
// devices make N / (cap / 2) attempts a second, and in the seconds after the broker's return no more. Devices
// draw independently, so that a second may see six standard deviations more, which in all seconds of a run
// together has less than one chance in a million:
//
//     attempts a second <= r + 6 sqrt(r),  r = 2 N / cap
//
// At the beginning of an outage, before the pauses have grown, r = 2 N / base. A drain jitter J spreads the
// devices that begin to send: r = N / J of them a second, each with its backlog.
#include "relay/policy.hpp"
#include "relay/route.hpp"
#include "relay/window.hpp"
#include "support/sanitizer.hpp"

#include <satchel/options.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iostream>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using satchel::BootTime;
using satchel::Options;
using satchel::relay::Jitter;
using satchel::relay::Route;
using satchel::relay::Window;
using Span = satchel::BootTimeTag::duration;

constexpr std::size_t kDevices = support::kSanitized ? 1'000 : 10'000;
constexpr BootTime kLost{1h};
constexpr std::uint64_t kBacklog = 360;  // one message every ten seconds for an hour
constexpr Span kRoundTrip = 100ms;

/// Events in each second since the connections were lost.
class Histogram {
 public:
  void add(BootTime time, std::uint64_t events) {
    const auto second = static_cast<std::size_t>((time - kLost) / std::chrono::seconds{1});
    if (second >= counts_.size()) counts_.resize(second + 1);
    counts_[second] += events;
  }
  std::uint64_t peak(Span from = {}, Span to = 24h) const {
    std::uint64_t most = 0;
    for (std::size_t second = index(from); second < std::min(counts_.size(), index(to)); ++second)
      most = std::max(most, counts_[second]);
    return most;
  }
  std::uint64_t sum() const {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts_) all += count;
    return all;
  }
  /// Ten lines: the peaks of tenths of the time.
  void print(const std::string& title, Span from, Span to) const {
    std::cout << title << "\n";
    const Span step = (to - from) / 10;
    const double most = std::max(static_cast<double>(peak(from, to)), 1.0);
    for (Span begin = from; begin < to; begin += step) {
      const std::uint64_t count = peak(begin, begin + step);
      const auto bar = static_cast<std::size_t>(60 * static_cast<double>(count) / most);
      std::cout << "  " << index(begin) << " to " << index(begin + step) << " s: " << count << " "
                << std::string(bar, '#') << "\n";
    }
  }

 private:
  static std::size_t index(Span time) { return static_cast<std::size_t>(time / std::chrono::seconds{1}); }
  std::vector<std::uint64_t> counts_;
};

struct Device {
  Device(const Options& options, std::uint64_t seed) : route{options}, jitter{seed}, window{options.window} {}

  Route route;
  Jitter jitter;
  Window window;
  std::uint64_t backlog = kBacklog;
};

/// The devices and their broker, event by event.
class Fleet {
 public:
  /// `there` says whether the broker takes connections; `breaks`: when it drops all that it has.
  Fleet(const Options& options, std::function<bool(BootTime)> there, std::vector<BootTime> breaks)
      : options_{options}, there_{std::move(there)} {
    for (std::size_t number = 0; number < kDevices; ++number) {
      devices_.emplace_back(options_, 0x5a7c'4e1eULL + number);
      Route& route = devices_.back().route;
      route.want(kLost - 2h);
      route.probing(kLost - 2h);
      route.rise(kLost - 2h);
    }
    breaks.push_back(kLost);
    for (const BootTime time : breaks) at(time, [this, time] { lose_all(time); });
  }

  void run(BootTime end) {
    while (!events_.empty() && events_.top().time < end) {
      const std::function<void()> what = events_.top().what;
      events_.pop();
      what();
    }
  }

  Histogram attempts;
  Histogram messages;
  BootTime last_up{};

 private:
  struct Event {
    BootTime time;
    std::uint64_t number;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return time != other.time ? time > other.time : number > other.number;
    }
  };

  void at(BootTime time, std::function<void()> what) {
    events_.push({time, events_made_++, std::move(what)});
  }

  void lose_all(BootTime now) {
    for (std::size_t number = 0; number < kDevices; ++number) {
      if (devices_[number].route.up()) fall(number, now);
    }
  }

  void fall(std::size_t number, BootTime now) {
    Device& device = devices_[number];
    device.window.outage();
    device.route.fall(satchel::down("no broker"), now, device.jitter);
    at(*device.route.next(), [this, number] { attempt(number); });
  }

  void attempt(std::size_t number) {
    Device& device = devices_[number];
    const BootTime now = *device.route.next();
    attempts.add(now, 1);
    device.route.probing(now);
    if (!there_(now)) return fall(number, now);
    device.route.rise(now);
    last_up = std::max(last_up, now);
    const std::uint64_t session = device.route.session();
    const BootTime begin = now + device.jitter.draw(options_.drain_jitter);
    at(begin, [this, number, session, begin] { send(number, session, begin); });
  }

  void send(std::size_t number, std::uint64_t session, BootTime now) {
    Device& device = devices_[number];
    if (!device.route.up() || device.route.session() != session || device.backlog == 0) return;
    const std::uint64_t sent = std::min<std::uint64_t>(device.window.room(0, 65'535, now), device.backlog);
    messages.add(now, sent);
    device.backlog -= sent;
    for (std::uint64_t i = 0; i < sent; ++i) device.window.delivered(kRoundTrip);
    at(now + kRoundTrip, [this, number, session, now] { send(number, session, now + kRoundTrip); });
  }

  const Options options_;
  std::function<bool(BootTime)> there_;
  std::vector<Device> devices_;
  std::priority_queue<Event> events_;
  std::uint64_t events_made_ = 0;
};

double spread(double rate) { return rate + 6 * std::sqrt(rate); }

double bound(std::chrono::milliseconds most) {
  return spread(2.0 * kDevices / std::chrono::duration<double>(most).count());
}

int failures = 0;

void expect(const std::string& what, double value, const std::string& relation, double limit) {
  const bool holds = relation == "<=" ? value <= limit : value > limit;
  std::cout << (holds ? "  ok: " : "  FAILED: ") << what << ": " << value << " " << relation << " " << limit
            << "\n";
  failures += holds ? 0 : 1;
}

/// The broker is gone for an hour.
Fleet after_an_hour(const Options& options) {
  Fleet fleet{options, [](BootTime now) { return now >= kLost + 1h; }, {}};
  fleet.run(kLost + 3h);
  return fleet;
}

void attempts_are_spread() {
  const Options options;
  const Fleet fleet = after_an_hour(options);
  fleet.attempts.print("Attempts to connect a second, after the loss:", 0s, 300s);
  fleet.attempts.print("Attempts to connect a second; the broker is back after 3600 s:", 30min,
                       30min + 2100s);
  expect("attempts a second right after the loss", static_cast<double>(fleet.attempts.peak()),
         "<=", bound(options.probe_backoff.base));
  const double limit = bound(options.probe_backoff.cap);
  expect("attempts a second around and after the return", static_cast<double>(fleet.attempts.peak(30min)),
         "<=", limit);
  expect("seconds until the last device is back",
         std::chrono::duration<double>(fleet.last_up - kLost - 1h).count(),
         "<=", std::chrono::duration<double>(options.probe_backoff.cap).count());
  expect("messages that were not delivered", static_cast<double>(kDevices * kBacklog - fleet.messages.sum()),
         "<=", 0);

  Options wide;
  wide.probe_backoff.base = 60s;
  const Fleet gentle = after_an_hour(wide);
  expect("attempts a second right after the loss, base 60 s", static_cast<double>(gentle.attempts.peak()),
         "<=", bound(wide.probe_backoff.base));
}

void drain_is_spread() {
  Options options;
  const Fleet plain = after_an_hour(options);
  options.drain_jitter = 10min;
  const Fleet spread_out = after_an_hour(options);
  spread_out.messages.print("Messages a second with a drain jitter of 600 s:", 1h, 1h + 1000s);
  const double devices = spread(static_cast<double>(kDevices) / 600.0);
  const auto most = static_cast<double>(spread_out.messages.peak());
  expect("messages a second with a drain jitter of 600 s", most, "<=", devices * kBacklog);
  expect("times as many without it", static_cast<double>(plain.messages.peak()) / most, ">", 2);
  expect("messages that were not delivered",
         static_cast<double>(kDevices * kBacklog - spread_out.messages.sum()), "<=", 0);
}

/// After an hour the broker comes up for ten seconds and crashes, over and over.
Fleet with_a_crash_loop(const Options& options) {
  std::vector<BootTime> crashes;
  for (auto time = kLost + 1h + 10s; time < kLost + 2h; time += 20s) crashes.push_back(time);
  const auto there = [](BootTime now) {
    const Span since = now - kLost - 1h;
    return since >= 1h || (since >= 0s && since % 20s < 10s);
  };
  Fleet fleet{options, there, crashes};
  fleet.run(kLost + 3h);
  return fleet;
}

void a_crash_loop_is_one_outage() {
  Options options;
  const double limit = bound(options.probe_backoff.cap);
  const Fleet patient = with_a_crash_loop(options);
  expect("attempts a second at a broker that crashes every 20 s",
         static_cast<double>(patient.attempts.peak(30min)), "<=", limit);
  // Who takes a connection of ten seconds for a sound one starts over with each.
  options.stable_after = 0ms;
  const Fleet hasty = with_a_crash_loop(options);
  expect("the same when the backoff starts over at once", static_cast<double>(hasty.attempts.peak(30min)),
         ">", 2 * limit);
}

}  // namespace

int main() {
  std::cout << kDevices << " devices\n";
  attempts_are_spread();
  drain_is_spread();
  a_crash_loop_is_one_outage();
  return failures == 0 ? 0 : 1;
}
