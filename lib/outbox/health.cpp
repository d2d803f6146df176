// SPDX-License-Identifier: MIT
#include "outbox/health.hpp"

#include "store/ages.hpp"
#include "store/place.hpp"
#include "store/relay_file.hpp"
#include "store/relay_health.hpp"

#include <satchel/observer.hpp>

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace satchel::outbox {
namespace {

/// Sinks that are told; an outbox has at most 32 routes, and there is place for about these.
constexpr std::size_t kMostSinks = 8;

class HealthObserver final : public PassingObserver {
 public:
  HealthObserver(std::string path, std::shared_ptr<Clock> clock, std::shared_ptr<Observer> next)
      : PassingObserver{std::move(next)}, path_{std::move(path)}, clock_{std::move(clock)} {}

  void sink_up(const std::string& sink) noexcept override {
    note([&] { return turned(sink, SinkState::up, {}); });
    PassingObserver::sink_up(sink);
  }
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 std::chrono::milliseconds pause) noexcept override {
    note([&] { return turned(sink, alarm ? SinkState::blocked : SinkState::paused, reason); });
    PassingObserver::sink_down(sink, reason, alarm, pause);
  }
  void failing(const std::string& problem, const std::string& hint) noexcept override {
    note([&] {
      health_.failure = problem + ": " + hint;
      return true;
    });
    PassingObserver::failing(problem, hint);
  }
  void healed() noexcept override {
    note([&] { return !std::exchange(health_.failure, {}).empty(); });
    PassingObserver::healed();
  }
  void leading(bool leads) noexcept override {
    note([&] {
      if (leads) take_over();
      return leads;
    });
    // What the last relay left stays to be read; the next one writes.
    if (!leads) file_.reset();
    PassingObserver::leading(leads);
  }

 private:
  void take_over() {
    file_.emplace(store::survey(path_).relay_path);
    health_.boot_id = clock_->boot_id();
    health_.process = ::getpid();
    health_.failure.clear();
  }

  bool turned(const std::string& name, SinkState state, const std::string& problem) {
    std::vector<store::RelayHealth::Sink>& sinks = health_.sinks;
    auto sink = std::find_if(sinks.begin(), sinks.end(), [&](const auto& each) { return each.name == name; });
    if (sink == sinks.end()) {
      if (sinks.size() == kMostSinks) return false;
      sink = sinks.insert(sinks.end(), {name, SinkState::none, {}, 0});
    }
    if (sink->state == state && sink->problem == problem) return false;
    if (sink->state != state) sink->since = store::to_ms(clock_->now());
    sink->state = state;
    sink->problem = problem;
    return true;
  }

  template <class Change>
  void note(Change change) noexcept {
    try {
      if (change() && file_) file_->note_health(store::encode(health_));
    } catch (const std::exception&) {
      return;  // the next change notes it
    }
  }

  // constant after construction
  const std::string path_;
  const std::shared_ptr<Clock> clock_;
  // relay thread only
  store::RelayHealth health_;
  std::optional<store::RelayFile> file_;
};

}  // namespace

Options with_health(Options options, const std::string& path) {
  options.observer = std::make_shared<HealthObserver>(path, options.clock, std::move(options.observer));
  return options;
}

}  // namespace satchel::outbox
