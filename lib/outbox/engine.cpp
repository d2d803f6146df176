// SPDX-License-Identifier: MIT
#include "outbox/engine.hpp"

#include "base/quiet_thread.hpp"
#include "outbox/look.hpp"
#include "relay/jitter_seed.hpp"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace satchel::outbox {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// Part of a stop that is kept for closing the connection in an orderly way after the last receipt.
constexpr int kFarewellShare = 4;
// What the relay has done is told this often at most; a change of state at once.
constexpr milliseconds kTellEvery{1000};

Observer& silent_observer() {
  static Observer observer;
  return observer;
}

Observer& observer_of(const Options& options) {
  return options.observer ? *options.observer : silent_observer();
}

/// 0 where there is none yet.
std::uint64_t random_number() {
  std::uint64_t random = 0;
  const ssize_t filled = getrandom(&random, sizeof random, GRND_NONBLOCK);
  return filled == static_cast<ssize_t>(sizeof random) ? random : 0;
}

std::vector<std::vector<std::string>> topics_of(const std::vector<Way>& ways) {
  std::vector<std::vector<std::string>> topics;
  topics.reserve(ways.size());
  for (const Way& way : ways) topics.push_back(way.options.topics);
  return topics;
}

Options observed_by(Options options, std::shared_ptr<Observer> observer) {
  options.observer = std::move(observer);
  return options;
}

std::vector<relay::Relay::Way> routes_of(const std::vector<Way>& ways) {
  std::vector<relay::Relay::Way> routes;
  routes.reserve(ways.size());
  for (const Way& way : ways) routes.push_back({*way.sink, way.options});
  return routes;
}

}  // namespace

Engine::Engine(std::shared_ptr<store::Store> store, std::vector<Way>& ways, Options options)
    : store_{std::move(store)},
      health_{std::make_shared<Health>(store_->path(), options, topics_of(ways))},
      options_{observed_by(std::move(options), health_)},
      relay_{options_, relay::Relay::Ports{*store_, *options_.clock, observer_of(options_), routes_of(ways)},
             [wake = wake_] { wake->wake(); },
             relay::jitter_seed(options_.device_id, store_->identity(), random_number())} {
  ways_ = std::move(ways);
}

Engine::~Engine() {
  if (thread_.joinable()) thread_.detach();
}

void Engine::start() {
  // The thread owns the engine as long as it runs, whatever becomes of the outbox.
  thread_ = start_quiet_thread([self = shared_from_this()] { self->run(); });
}

bool Engine::stop(milliseconds drain, milliseconds patience) {
  const BootTime deadline = options_.clock->now() + drain;
  Lock lock{mutex_};
  if (!stop_at_ || deadline < *stop_at_) stop_at_ = deadline;
  const bool called_from_relay = runner_ == std::this_thread::get_id();
  lock.unlock();
  wake_->wake();
  if (called_from_relay) return false;
  lock.lock();
  // Steady time, not the clock port: this bounds a thread that hangs, and a hung thread advances no test's
  // clock.
  if (!ended_changed_.wait_for(lock.native(), patience, [this]() SATCHEL_REQUIRES(mutex_) { return ended_; }))
    return false;
  const bool clean = ended_clean_;
  std::thread done = std::exchange(thread_, {});
  lock.unlock();
  if (done.joinable()) done.join();
  return clean;
}

void Engine::run() noexcept {
  pthread_setname_np(pthread_self(), "satchel-relay");
  {
    const Lock lock{mutex_};
    runner_ = std::this_thread::get_id();
  }
  beat_every_ = observer_of(options_).heartbeat_interval();
  relay_.let_ride(true);
  std::optional<BootTime> deadline;
  while (!(deadline = stop_deadline())) {
    // Asked to stop before the round took back the wake: nothing else would end the wait.
    if (!round() && !stop_deadline()) wait(std::nullopt);
  }
  const bool clean = drive_to_end(*deadline);
  const Lock lock{mutex_};
  runner_ = {};
  ended_ = true;
  ended_clean_ = clean;
  ended_changed_.notify_all();
}

bool Engine::step() {
  const bool worked = round();
  // After a round that did something it is called again.
  if (!worked) health_->rests(options_.clock->now(), true);
  return worked;
}

bool Engine::round() {
  const BootTime now = options_.clock->now();
  last_round_.store(now.time_since_epoch().count());
  due_.store(now.time_since_epoch().count());
  health_->round_begins(now);
  wake_->clear();
  const bool worked = relay_.step();
  untold_ = true;
  if (now >= next_tell_ || health_->wants(now) || relay_.states() != told_states_) tell(false);
  if (beat_every_ > milliseconds{0} && now >= next_beat_) {
    next_beat_ = now + beat_every_;
    observer_of(options_).heartbeat();
  }
  return worked;
}

void Engine::tell(bool last) noexcept {
  const BootTime now = options_.clock->now();
  next_tell_ = now + kTellEvery;
  told_states_ = relay_.states();
  untold_ = false;
  try {
    Status status;
    add_snapshot(status, relay_.snapshot(), now);
    status.wear = store_->wear();
    health_->tell(status, last);
  } catch (const std::exception&) {
    return;  // no memory: another time
  }
}

Engine::Pulse Engine::pulse() const noexcept {
  const auto time = [](BootTime::rep count) {
    return count == kNever ? std::nullopt : std::optional{BootTime{BootTime::duration{count}}};
  };
  return {time(last_round_.load()), time(due_.load())};
}

bool Engine::finish(milliseconds timeout) { return drive_to_end(options_.clock->now() + timeout); }

bool Engine::drive_to_end(BootTime deadline) {
  const BootTime begun = options_.clock->now();
  // Another stop may allow less meanwhile.
  const auto end = [&] { return std::min(deadline, stop_deadline().value_or(deadline)); };
  const auto left_since = [&](BootTime since) { return std::max(end() - since, BootTime::duration{0}); };
  const auto farewell = [&] { return end() - left_since(begun) / kFarewellShare; };
  relay_.drain();
  while (!relay_.drained() && options_.clock->now() < farewell()) {
    if (!round()) wait(farewell());
  }
  const bool drained = relay_.drained();
  tell(true);
  health_->rests(options_.clock->now(), true);
  relay_.finish(duration_cast<milliseconds>(left_since(options_.clock->now())));
  return drained;
}

std::optional<BootTime> Engine::stop_deadline() const {
  const Lock lock{mutex_};
  return stop_at_;
}

void Engine::wait(std::optional<BootTime> limit) {
  health_->rests(options_.clock->now(), false);
  std::optional<BootTime> until = relay_.next_step();
  const auto consider = [&until](std::optional<BootTime> time) {
    if (time && (!until || *time < *until)) until = time;
  };
  consider(limit);
  consider(health_->due());
  if (untold_) consider(next_tell_);
  if (beat_every_ > milliseconds{0} && (!until || next_beat_ < *until)) until = next_beat_;
  due_.store(until ? until->time_since_epoch().count() : kNever);
  const std::array<int, 2> descriptors{wake_->descriptor(), store_->watch_descriptor()};
  // Otherwise what is not taken up yet would end every wait at once.
  const std::size_t count = descriptors[1] == -1 || relay_.backs_off() ? 1 : 2;
  options_.clock->wait(std::span{descriptors}.first(count), until);
}

}  // namespace satchel::outbox
