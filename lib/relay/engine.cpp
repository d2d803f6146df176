// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <algorithm>
#include <exception>
#include <variant>

namespace satchel::relay {

namespace {

/// Time that a sink has to give up its deliveries after a reset.
constexpr std::chrono::seconds kResetGrace{10};
/// Tries to record outcomes on a failing storage before a drain gives up.
constexpr int kDrainTries = 3;
constexpr int kFinishTries = 1000;
constexpr std::chrono::milliseconds kFinishPause{5};

SinkState state_for_people(Route::State state) noexcept {
  switch (state) {
    case Route::State::off:
      return SinkState::none;
    case Route::State::connecting:
      return SinkState::connecting;
    case Route::State::up:
      return SinkState::up;
    case Route::State::paused:
      return SinkState::paused;
    case Route::State::blocked:
      break;
  }
  return SinkState::blocked;
}

}  // namespace

Relay::Engine::Engine(const Options& options, Ports ports, std::function<void()> wake, std::uint64_t seed)
    : options_{options},
      ports_{ports},
      signal_{std::make_shared<Signal>()},
      inbox_{wake},
      jitter_{seed},
      route_{options},
      trouble_{ports.observer, jitter_} {
  signal_->wake = std::move(wake);
  ports_.storage.on_change([signal = signal_] {
    signal->changed.store(true, std::memory_order_release);
    signal->wake();
  });
}

Relay::Engine::~Engine() {
  if (finished_) return;
  forget_changes();
  if (sink_started_) ports_.sink.stop(milliseconds{0});
}

void Relay::Engine::forget_changes() noexcept {
  try {
    ports_.storage.on_change([] {});
  } catch (const std::exception&) {
    return;  // what it calls then outlives this object
  }
}

bool Relay::Engine::step() noexcept {
  if (finished_) return false;
  now_ = ports_.clock.now();
  progress_ = false;
  guarded([this] { round(); });
  guarded([this] { publish(); });
  return progress_;
}

void Relay::Engine::round() {
  progress_ = take_inbox() || progress_;
  if (trouble_.until() && now_ < *trouble_.until()) return;
  const Look look = ports_.storage.look();
  look_next_ = look.next;
  const bool changed = signal_->changed.exchange(false, std::memory_order_acquire);
  if (!lead()) return;
  if (changed || look.changed) lead_->supply.changed();
  if (const std::uint64_t rescans = ports_.storage.rescans(); rescans != lead_->rescans) {
    lead_->rescans = rescans;
    lead_->supply.rewind(1);
  }
  tick();
  lead_->occupied = false;
  // Recording comes after the hand-over, so that the sink has work meanwhile, unless the hand-over waits for
  // it.
  if (trouble_.failure() || lead_->outcomes.size() >= options_.max_unsettled) settle();
  progress_ = hand_over() || progress_;
  settle();
  correct_note();
  ports_.storage.maintain();
  if (!lead_->occupied) trouble_.passed();
}

/// After an outage nothing is in flight, maybe for weeks. A process that ends then must not make suspects of
/// what came back, nor count a second time what was counted at the start.
void Relay::Engine::correct_note() {
  Lead& lead = *lead_;
  if (!lead.note_is_stale || !lead.flights.empty() || !lead.outcomes.empty()) return;
  ports_.storage.before_send(suspects_to_note());
  lead.note_is_stale = false;
}

bool Relay::Engine::take_inbox() {
  std::vector<SinkEvent> events = inbox_.take();
  for (const SinkEvent& event : events) {
    if (const auto* batch = std::get_if<std::vector<Receipt>>(&event)) {
      for (const Receipt& receipt : *batch) on_receipt(receipt);
    } else if (const auto* down = std::get_if<SinkDown>(&event)) {
      fell(down->cause);
    } else {
      rose();
    }
  }
  return !events.empty();
}

/// What is due by time.
void Relay::Engine::tick() {
  Lead& lead = *lead_;
  take_back_overdue();
  while (!lead.backoff.empty() && lead.backoff.begin()->first <= now_) {
    const std::int64_t row = lead.backoff.begin()->second;
    lead.backoff.erase(lead.backoff.begin());
    Entry& entry = lead.ledger.at(row);
    if (lead.isolation.suspects(row)) {
      entry.place = Place::alone;
      lead.isolation.suspect(row, deliveries_);
    } else {
      send_again(entry);
    }
    progress_ = true;
  }
  watch_sink();
}

void Relay::Engine::watch_sink() {
  Lead& lead = *lead_;
  if (draining_) return;
  if (const auto span = lead.isolation.watch(); span && route_.up() && now_ - route_.up_since() >= *span) {
    const bool nothing_else =
        lead.flights.empty() && lead.again.empty() && lead.backoff.empty() && lead.supply.exhausted();
    conclude(lead.isolation.link_is_sound(deliveries_, nothing_else));
    progress_ = true;
  }
  if (const auto asked = route_.asked(); asked && now_ - *asked >= options_.claim_timeout) {
    ports_.sink.reset();
    fell(down("the sink gave no answer for " + std::to_string(options_.claim_timeout.count()) + " ms"));
  }
  if (!route_.probe_due(now_)) return;
  if (!sink_started_) {
    ports_.sink.start(inbox_);
    sink_started_ = true;
    sink_name_ = ports_.sink.name();
  }
  route_.probing(now_);
  progress_ = true;
  try {
    ports_.sink.resume();
  } catch (const std::exception& error) {
    fell(down(error.what()));
  }
}

/// Deliveries whose receipt stays out: the sink is told to give them up, and when it does not, they are taken
/// back anyway.
void Relay::Engine::take_back_overdue() {
  Lead& lead = *lead_;
  if (lead.flights.empty() || now_ - lead.flights.begin()->second.sent_at < options_.claim_timeout) {
    lead.reset_at.reset();
    return;
  }
  const std::string reason = "no receipt for " + std::to_string(options_.claim_timeout.count()) + " ms";
  if (!lead.reset_at) {
    lead.reset_at = now_;
    progress_ = true;
    ports_.sink.reset();
    fell(down(reason));
  } else if (now_ - *lead.reset_at >= kResetGrace) {
    std::vector<std::uint64_t> overdue;
    for (const auto& [claim, flight] : lead.flights) {
      if (flight.sent_at <= *lead.reset_at) overdue.push_back(claim);
    }
    lead.reset_at.reset();
    progress_ = true;
    for (const std::uint64_t claim : overdue) {
      Receipt receipt = down(reason);
      receipt.claim = claim;
      receipt.exposed = true;
      on_receipt(receipt);
    }
  }
}

std::optional<BootTime> Relay::Engine::next_step() const {
  if (finished_) return std::nullopt;
  if (trouble_.until() && *trouble_.until() > now_) return trouble_.until();
  std::optional<BootTime> soonest;
  // What was due at the last step and is not done yet waits for an event, not for time.
  const auto consider = [&](std::optional<BootTime> time) {
    if (time && *time > now_ && (!soonest || *time < *soonest)) soonest = time;
  };
  consider(look_next_);
  if (!lead_) {
    consider(acquire_at_);
    return soonest;
  }
  const Lead& lead = *lead_;
  if (!draining_) {
    consider(route_.next());
    if (const auto asked = route_.asked()) consider(*asked + options_.claim_timeout);
    if (!lead.backoff.empty()) consider(lead.backoff.begin()->first);
    if (lead.isolation.waiting() > 0) consider(lead.quiet_until);
    if (route_.up()) {
      consider(lead.topics.next());
      if (const auto span = lead.isolation.watch()) consider(route_.up_since() + *span);
    }
  }
  if (lead.reset_at) {
    consider(*lead.reset_at + kResetGrace);
  } else if (!lead.flights.empty()) {
    consider(lead.flights.begin()->second.sent_at + options_.claim_timeout);
  }
  if (!lead.outcomes.empty() && !lead.occupied) consider(lead.outcomes.oldest() + options_.settle_linger);
  return soonest;
}

bool Relay::Engine::drained() const noexcept {
  if (!draining_) return false;
  if (!lead_) return true;
  return lead_->flights.empty() && (lead_->outcomes.empty() || trouble_.times() >= kDrainTries);
}

void Relay::Engine::finish(milliseconds timeout) noexcept {
  if (finished_) return;
  draining_ = true;
  const BootTime deadline = ports_.clock.now() + timeout;
  ports_.sink.stop(timeout);
  sink_started_ = false;
  guarded([this] {
    now_ = ports_.clock.now();
    take_inbox();
  });
  // The storage may be occupied by a transaction that is about to end: its turn is worth a short wait.
  bool again = lead_ != nullptr;
  for (int tries = 0; again && tries < kFinishTries; ++tries) {
    now_ = ports_.clock.now();
    again = false;
    guarded([this, &again] {
      lead_->flights.clear();
      lead_->occupied = false;
      settle();
      again = lead_->occupied || progress_;
    });
    again = again && lead_ && !lead_->outcomes.empty() && now_ < deadline;
    progress_ = false;
    if (again && lead_->occupied) ports_.clock.wait({}, std::min<BootTime>(now_ + kFinishPause, deadline));
  }
  const bool led = lead_ != nullptr;
  lead_.reset();
  route_.leave(now_);
  ports_.storage.release();
  forget_changes();
  finished_ = true;
  if (led) ports_.observer.leading(false);
  guarded([this] { publish(); });
}

Snapshot Relay::Engine::snapshot() const {
  const std::lock_guard lock{mutex_};
  return published_;
}

void Relay::Engine::publish() {
  Snapshot& now = counters_;
  now.leading = lead_ != nullptr;
  now.in_flight = lead_ ? lead_->flights.size() : 0;
  now.unsettled = lead_ ? lead_->outcomes.size() : 0;
  now.retrying = lead_ ? lead_->backoff.size() : 0;
  now.keys = lead_ ? lead_->supply.lanes().size() : 0;
  now.read_ahead = lead_ ? lead_->supply.loaded_count() : 0;
  now.held_topics = lead_ ? lead_->topics.size() : 0;
  now.sink = state_for_people(route_.state());
  now.sink_problem = sink_problem_;
  now.failure = trouble_.failure();
  const std::lock_guard lock{mutex_};
  published_ = now;
  published_.ignored += inbox_.overflowed();
}

}  // namespace satchel::relay
