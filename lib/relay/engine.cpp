// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace satchel::relay {

namespace {

/// Tries to record outcomes on a failing storage before a drain gives up.
constexpr int kDrainTries = 3;
constexpr int kFinishTries = 1000;
constexpr std::chrono::milliseconds kFinishPause{5};

std::vector<std::vector<std::string>> filters_of(const std::vector<Relay::Way>& ways) {
  std::vector<std::vector<std::string>> filters;
  filters.reserve(ways.size());
  for (const Relay::Way& way : ways) filters.push_back(way.options.topics);
  return filters;
}

}  // namespace

Relay::Engine::Engine(const Options& options, const Ports& ports, std::function<void()> wake,
                      std::uint64_t seed)
    : signal_{std::make_shared<Signal>()},
      routing_{filters_of(ports.routes)},
      shared_{options, ports.storage, ports.clock, ports.observer, ports.routes.size(), Jitter{seed}},
      trouble_{ports.observer, shared_.jitter} {
  for (std::size_t number = 0; number < ports.routes.size(); ++number) {
    const Way& way = ports.routes[number];
    routes_.push_back(std::make_unique<RouteRelay>(
        shared_, number, RouteRelay::Way{way.sink, way.options, routing_.taken_by(number)}, wake));
  }
  shared_.counters.routes.resize(routes_.size());
  shared_.now = shared_.clock.now();
  publish();
  signal_->wake = std::move(wake);
  shared_.storage.on_change([signal = signal_] {
    signal->changed.store(true, std::memory_order_release);
    signal->wake();
  });
}

Relay::Engine::~Engine() {
  if (finished_) return;
  forget_changes();
  stop_sinks(milliseconds{0});
}

void Relay::Engine::forget_changes() noexcept {
  try {
    shared_.storage.on_change([] {});
  } catch (const std::exception&) {
    return;  // what it calls then outlives this object
  }
}

bool Relay::Engine::step() noexcept {
  if (finished_) return false;
  shared_.now = shared_.clock.now();
  shared_.progress = false;
  guarded([this] { round(); });
  guarded([this] { publish(); });
  return shared_.progress;
}

void Relay::Engine::round() {
  shared_.progress = take_inboxes() || shared_.progress;
  if (backs_off()) return;
  const Look look = shared_.storage.look();
  look_next_ = look.next;
  const bool changed = signal_->changed.exchange(false, std::memory_order_acquire);
  if (!lead()) return;
  Shared::Lead& lead = *shared_.lead;
  if (changed || look.changed) {
    for (const auto& route : routes_) route->changed();
  }
  follow_rescans();
  for (const auto& route : routes_) route->tick();
  let_outcomes_ride();
  // Recording comes after the hand-over, so that the sink has work meanwhile, unless the hand-over waits for
  // it, or others wait while the storage keeps its turn for it.
  const bool turn_is_kept = std::exchange(lead.occupied, false);
  if (turn_is_kept || trouble_.failure() || lead.outcomes.size() >= shared_.options.max_unsettled) settle();
  release_due(look);
  shared_.progress = hand_over() || shared_.progress;
  settle();
  correct_note();
  shared_.storage.maintain();
  if (!lead.occupied) trouble_.passed();
}

bool Relay::Engine::take_inboxes() {
  bool any = false;
  for (const auto& route : routes_) any = route->take_inbox() || any;
  return any;
}

std::optional<BootTime> Relay::Engine::next_step() const {
  if (finished_) return std::nullopt;
  const BootTime now = shared_.now;
  if (backs_off()) return trouble_.until();
  std::optional<BootTime> soonest;
  // What was due at the last step and is not done yet waits for an event, not for time.
  const auto consider = [&](std::optional<BootTime> time) {
    if (time && *time > now && (!soonest || *time < *soonest)) soonest = time;
  };
  consider(look_next_);
  if (!shared_.lead) {
    consider(acquire_at_);
    return soonest;
  }
  for (const auto& route : routes_) consider(route->next_step());
  const Shared::Lead& lead = *shared_.lead;
  if (!lead.outcomes.empty() && !lead.occupied) consider(settle_at());
  return soonest;
}

bool Relay::Engine::drained() const noexcept {
  if (!shared_.draining) return false;
  if (!shared_.lead) return true;
  return in_flight() == 0 && (shared_.lead->outcomes.empty() || trouble_.times() >= kDrainTries);
}

/// Each gets its part of the time, so that one that hangs leaves something to the others.
void Relay::Engine::stop_sinks(milliseconds timeout) noexcept {
  const BootTime deadline = shared_.clock.now() + timeout;
  auto waiting = static_cast<std::int64_t>(routes_.size());
  for (const auto& route : routes_) {
    const auto left = std::max<milliseconds>(
        milliseconds{0}, std::chrono::duration_cast<milliseconds>(deadline - shared_.clock.now()));
    route->stop_sink(left / waiting--);
  }
}

void Relay::Engine::finish(milliseconds timeout) noexcept {
  if (finished_) return;
  shared_.draining = true;
  const BootTime deadline = shared_.clock.now() + timeout;
  stop_sinks(timeout);
  guarded([this] {
    shared_.now = shared_.clock.now();
    take_inboxes();
  });
  record_the_rest(deadline);
  const bool led = shared_.lead != nullptr;
  forget_everything();
  shared_.storage.release();
  forget_changes();
  finished_ = true;
  if (led) shared_.observer.leading(false);
  guarded([this] { publish(); });
}

/// The storage may be occupied by a transaction that is about to end: its turn is worth a short wait.
void Relay::Engine::record_the_rest(BootTime deadline) noexcept {
  bool again = shared_.lead != nullptr;
  for (int tries = 0; again && tries < kFinishTries; ++tries) {
    shared_.now = shared_.clock.now();
    again = false;
    guarded([this, &again] {
      for (const auto& route : routes_) route->give_up_flights();
      shared_.lead->occupied = false;
      settle();
      again = shared_.lead->occupied || shared_.progress;
    });
    again = again && shared_.lead && !shared_.lead->outcomes.empty() && shared_.now < deadline;
    shared_.progress = false;
    if (again && shared_.lead->occupied)
      shared_.clock.wait({}, std::min<BootTime>(shared_.now + kFinishPause, deadline));
  }
}

void Relay::Engine::pause(std::size_t route, bool paused) noexcept {
  if (route >= routes_.size()) return;
  routes_[route]->pause(paused);
  signal_->wake();
}

Snapshot Relay::Engine::snapshot() const {
  const std::lock_guard lock{mutex_};
  return published_;
}

std::uint64_t Relay::Engine::states() const noexcept {
  // An FNV hash, of what `publish` has found.
  std::uint64_t states = shared_.counters.leading ? 1 : 2;
  const auto add = [&states](auto value) {
    states = (states ^ static_cast<std::uint64_t>(value)) * 1'099'511'628'211ULL;
  };
  add(shared_.counters.failure.has_value());
  for (const RouteStatus& route : shared_.counters.routes) {
    add(route.sink);
    add(route.paused);
  }
  return states;
}

void Relay::Engine::publish() {
  Snapshot& now = shared_.counters;
  now.leading = shared_.lead != nullptr;
  now.unsettled = shared_.lead ? shared_.lead->outcomes.size() : 0;
  now.dead_keys = shared_.lead ? shared_.lead->dead_keys.size() : 0;
  now.in_flight = now.retrying = now.keys = now.read_ahead = now.held_topics = 0;
  std::uint64_t overflowed = 0;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    routes_[i]->add_sizes(now);
    routes_[i]->publish(now.routes[i]);
    overflowed += routes_[i]->overflowed();
  }
  const auto down = std::find_if(now.routes.begin(), now.routes.end(),
                                 [](const RouteStatus& route) { return route.sink != SinkState::up; });
  const RouteStatus& shown = down == now.routes.end() ? now.routes.front() : *down;
  now.sink = shown.sink;
  now.sink_problem = shown.sink_problem;
  now.failure = trouble_.failure();
  const std::lock_guard lock{mutex_};
  published_ = now;
  published_.ignored += overflowed;
}

}  // namespace satchel::relay
