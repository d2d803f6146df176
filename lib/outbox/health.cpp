// SPDX-License-Identifier: MIT
#include "outbox/health.hpp"

#include "store/ages.hpp"
#include "store/flat_lines.hpp"
#include "store/place.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace satchel::outbox {
namespace {

using store::RelayByte;
using store::RelayFile;

/// Sinks that are told to programs which know nothing of routes; there is place for about these.
constexpr std::size_t kMostSinks = 8;
// Between two snapshots, when no state has changed.
constexpr std::chrono::milliseconds kCountPause{1000};
// Before that no wear is told by the day.
constexpr std::chrono::milliseconds kFirstWear{1000};
// A round that follows another at once is marked anew after this.
constexpr std::chrono::milliseconds kMarkLasts{500};

/// What is worth telling at once. Not so what holds messages back: it may let them go many times a second.
std::string states_of(const std::vector<RouteStatus>& routes) {
  std::string states;
  for (const RouteStatus& route : routes) {
    states += std::to_string(static_cast<int>(route.sink)) + (route.paused ? 'p' : ' ');
    states += route.sink_name + store::kField + route.sink_problem + '\n';
  }
  return states;
}

std::vector<std::uint64_t> counts_of(const Status& status) {
  std::vector<std::uint64_t> counts{status.in_flight,
                                    status.unsettled,
                                    status.delivered,
                                    status.retried,
                                    status.expired,
                                    status.died,
                                    status.wear.bytes_per_day > 0 ? 1U : 0U};
  for (const RouteStatus& route : status.routes) {
    counts.push_back(route.in_flight);
    counts.push_back(static_cast<std::uint64_t>(route.held_by));
  }
  return counts;
}

}  // namespace

Health::Health(std::string path, const Options& options, std::vector<std::vector<std::string>> topics)
    : PassingObserver{options.observer}, path_{std::move(path)}, clock_{options.clock} {
  snapshot_.quota = options.quota;
  snapshot_.topics_known = true;
  const std::int64_t now = store::to_ms(clock_->now());
  for (std::vector<std::string>& each : topics) snapshot_.routes.push_back({now, std::move(each)});
}

template <class Action>
void Health::try_to(Action action) noexcept {
  try {
    action();
  } catch (const std::exception&) {
    return;  // the next change notes it
  }
}

template <class Change>
void Health::note(Change change) noexcept {
  try_to([&] {
    if (change() && leads_ && file_) file_->note_health(store::encode(health_));
  });
}

void Health::sink_up(const std::string& sink) noexcept {
  note([&] { return turned(sink, SinkState::up, {}); });
  PassingObserver::sink_up(sink);
}

void Health::sink_down(const std::string& sink, const std::string& reason, bool alarm,
                       std::chrono::milliseconds pause) noexcept {
  note([&] { return turned(sink, alarm ? SinkState::blocked : SinkState::down, reason); });
  PassingObserver::sink_down(sink, reason, alarm, pause);
}

void Health::failing(const std::string& problem, const std::string& hint) noexcept {
  note([&] {
    health_.failure = problem + ": " + hint;
    return true;
  });
  PassingObserver::failing(problem, hint);
}

void Health::healed() noexcept {
  note([&] { return !std::exchange(health_.failure, {}).empty(); });
  PassingObserver::healed();
}

void Health::leading(bool leads) noexcept {
  leads_ = leads;
  note([&] {
    if (leads) take_over();
    return leads;
  });
  // What the last relay left stays to be read; the next one writes.
  if (!leads) file_.reset();
  PassingObserver::leading(leads);
}

void Health::take_over() {
  file_.emplace(store::survey(path_).relay_path);
  health_.boot_id = clock_->boot_id();
  health_.process = ::getpid();
  health_.failure.clear();
  snapshot_.boot_id = health_.boot_id;
  snapshot_.process = health_.process;
  written_.reset();
  states_.clear();
  if (round_) file_->mark_round(store::RelayRound{store::to_ms(*round_)});
}

void Health::stand_by() {
  if (leads_ || file_) return;
  file_.emplace(store::survey(path_).relay_path);
  file_->try_share(RelayByte::standby);
}

bool Health::turned(const std::string& name, SinkState state, const std::string& problem) {
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

void Health::round_begins(BootTime now) noexcept {
  if (round_ && now - *round_ < kMarkLasts) return;
  round_ = now;
  if (leads_ && file_) file_->mark_round(store::RelayRound{store::to_ms(now)});
}

void Health::rests(BootTime now, bool at_once) noexcept {
  if (!round_ || (!at_once && rested_ && now - *rested_ < kMarkLasts)) return;
  rested_ = now;
  const BootTime round = *std::exchange(round_, std::nullopt);
  if (leads_ && file_) file_->mark_round(store::RelayRound{store::to_ms(round), true});
}

std::optional<BootTime> Health::due() const noexcept {
  if (!round_ || !rested_) return due_;
  const BootTime rest = *rested_ + kMarkLasts;
  return due_ ? std::min(*due_, rest) : rest;
}

bool Health::wants(BootTime now) const noexcept { return due_ && now >= *due_; }

void Health::tell(const Status& status, bool last) noexcept {
  due_.reset();
  try_to([&] {
    if (!leads_) return stand_by();
    Status told = status;
    follow_states(told.routes);
    const BootTime now = clock_->now();
    const std::string states = states_of(told.routes);
    const std::vector<std::uint64_t> counts = counts_of(told);
    if (told.wear.over < kFirstWear) due_ = now + (kFirstWear - told.wear.over);
    if (states == states_ && counts == counts_) return;
    const bool early = written_ && states == states_ && now < *written_ + kCountPause;
    if (early && !last) {
      due_ = *written_ + kCountPause;
      return;
    }
    // Also after a failure: it is not tried again before something changes.
    written_ = now;
    states_ = states;
    counts_ = counts;
    write(std::move(told));
  });
}

/// A probe is no change: a sink that is tried again is as it was until it has answered.
void Health::follow_states(std::vector<RouteStatus>& routes) {
  std::vector<RouteStatus>& before = snapshot_.status.routes;
  before.resize(routes.size());
  snapshot_.routes.resize(routes.size());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    RouteStatus& route = routes[i];
    if (route.sink == SinkState::connecting && !route.sink_problem.empty()) route.sink = before[i].sink;
    if (route.sink != before[i].sink) snapshot_.routes[i].since = store::to_ms(clock_->now());
    before[i].sink = route.sink;
  }
}

void Health::write(Status status) {
  snapshot_.noted = store::to_ms(clock_->now());
  snapshot_.status = std::move(status);
  if (file_) file_->note_snapshot(store::encode(snapshot_, RelayFile::kSnapshotBytes));
}

}  // namespace satchel::outbox
