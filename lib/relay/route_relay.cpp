// SPDX-License-Identifier: MIT
#include "relay/route_relay.hpp"

#include <algorithm>
#include <exception>
#include <variant>

namespace satchel::relay {

namespace {

/// Time that a sink has to give up its deliveries after a reset.
constexpr std::chrono::seconds kResetGrace{10};

Options with_window(Options options, const RouteOptions& route) {
  if (route.window != 0) options.window = route.window;
  if (route.window_bytes != 0) options.window_bytes = route.window_bytes;
  return options;
}

SinkState state_for_people(Route::State state) noexcept {
  switch (state) {
    case Route::State::off:
      return SinkState::none;
    case Route::State::connecting:
      return SinkState::connecting;
    case Route::State::up:
      return SinkState::up;
    case Route::State::down:
      return SinkState::down;
    case Route::State::blocked:
      break;
  }
  return SinkState::blocked;
}

}  // namespace

RouteRelay::RouteRelay(Shared& shared, std::size_t number, const Way& way, std::function<void()> wake)
    : shared_{shared},
      number_{number},
      sink_{way.sink},
      name_{way.options.name},
      accepts_{way.accepts},
      drain_{way.options.drain},
      options_{with_window(shared.options, way.options)},
      inbox_{std::move(wake)},
      pause_wanted_{way.options.paused},
      route_{options_},
      limits_{way.options} {}

bool RouteRelay::take_inbox() {
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

void RouteRelay::begin(const std::map<std::string, std::string>& notes) {
  lead_ = std::make_unique<Lead>(options_, shared_.storage, shared_.lead->dead_keys, accepts_, drain_);
  if (const auto note = notes.find("budget:" + name_);
      limits_.counts_bytes() && !note_due_ && note != notes.end()) {
    limits_.restore(note->second, shared_.clock.boot_id(), shared_.now);
  }
  paused_ = pause_wanted_.load(std::memory_order_relaxed);
  if (!paused_) route_.want(shared_.now);
}

void RouteRelay::abandon() noexcept {
  lead_.reset();
  route_.leave(shared_.now);
  wants_process_ = false;
  held_by_ = HeldBy::nothing;
  limited_until_.reset();
}

void RouteRelay::unblocked(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) lead_->tiers.unblocked(key);
}

void RouteRelay::appeared(const Released::Row& row) {
  lead_->tiers.of(row.priority).supply.appeared(row.row, row.key, route_.up());
}

void RouteRelay::cut_off() {
  if (sink_started_) sink_.reset();
}

void RouteRelay::stop_sink(milliseconds timeout) noexcept {
  if (sink_started_) sink_.stop(timeout);
  sink_started_ = false;
}

void RouteRelay::tick() {
  Lead& lead = *lead_;
  take_back_overdue();
  while (!lead.backoff.empty() && lead.backoff.begin()->first <= shared_.now) {
    const std::int64_t row = lead.backoff.begin()->second;
    lead.backoff.erase(lead.backoff.begin());
    Entry& entry = lead.ledger.at(row);
    if (lead.isolation.suspects(row)) {
      entry.place = Place::alone;
      lead.isolation.suspect(row, deliveries_);
    } else {
      send_again(entry);
    }
    shared_.progress = true;
  }
  if (shared_.draining) return;
  follow_pause();
  watch_sink();
}

/// In flight is waited for, then the sink is disconnected.
void RouteRelay::follow_pause() {
  Lead& lead = *lead_;
  const bool wanted = pause_wanted_.load(std::memory_order_relaxed);
  if (wanted != paused_) {
    paused_ = wanted;
    shared_.progress = true;
    if (paused_) {
      lead.tiers.forget_loaded();
    } else {
      route_.want(shared_.now);
    }
  }
  if (hurried_.exchange(false, std::memory_order_relaxed) && !paused_) {
    route_.hurry(shared_.now);
    lead.topics.hurry(shared_.now);
    shared_.progress = true;
  }
  if (!paused_ || route_.state() == Route::State::off || !lead.flights.empty()) return;
  route_.leave(shared_.now);
  sink_problem_.clear();
  shared_.lead->settle_now = true;
  shared_.progress = true;
  cut_off();
}

void RouteRelay::watch_sink() {
  Lead& lead = *lead_;
  const BootTime now = shared_.now;
  if (const auto span = lead.isolation.watch(); span && route_.up() && now - route_.up_since() >= *span) {
    const bool nothing_else =
        lead.flights.empty() && lead.tiers.none_again() && lead.backoff.empty() && lead.tiers.exhausted();
    conclude(lead.isolation.link_is_sound(deliveries_, nothing_else));
    shared_.progress = true;
  }
  if (const auto asked = route_.asked(); asked && now - *asked >= options_.claim_timeout) {
    sink_.reset();
    fell(down("the sink gave no answer for " + std::to_string(options_.claim_timeout.count()) + " ms"));
  }
  if (route_.probe_due(now)) probe();
}

void RouteRelay::probe() {
  route_.probing(shared_.now);
  shared_.progress = true;
  try {
    if (!sink_started_) {
      sink_.start(inbox_);
      sink_started_ = true;
      sink_name_ = sink_.name();
    }
    sink_.resume();
  } catch (const std::exception& error) {
    fell(down(error.what()));
  }
}

/// Deliveries whose receipt stays out: the sink is told to give them up, and when it does not, they are taken
/// back anyway.
void RouteRelay::take_back_overdue() {
  Lead& lead = *lead_;
  const BootTime now = shared_.now;
  if (lead.flights.empty() || now - lead.flights.begin()->second.sent_at < options_.claim_timeout) {
    lead.reset_at.reset();
    return;
  }
  const std::string reason = "no receipt for " + std::to_string(options_.claim_timeout.count()) + " ms";
  if (!lead.reset_at) {
    lead.reset_at = now;
    shared_.progress = true;
    sink_.reset();
    fell(down(reason));
  } else if (now - *lead.reset_at >= kResetGrace) {
    std::vector<std::uint64_t> overdue;
    for (const auto& [claim, flight] : lead.flights) {
      if (flight.sent_at <= *lead.reset_at) overdue.push_back(claim);
    }
    lead.reset_at.reset();
    shared_.progress = true;
    for (const std::uint64_t claim : overdue) {
      Receipt receipt = down(reason);
      receipt.claim = claim;
      receipt.exposed = true;
      on_receipt(receipt);
    }
  }
}

std::optional<BootTime> RouteRelay::next_step() const {
  std::optional<BootTime> soonest;
  // What was due at the last step and is not done yet waits for an event, not for time.
  const auto consider = [&](std::optional<BootTime> time) {
    if (time && *time > shared_.now && (!soonest || *time < *soonest)) soonest = time;
  };
  if (!lead_) return soonest;
  const Lead& lead = *lead_;
  if (!shared_.draining) {
    consider(route_.next());
    if (const auto asked = route_.asked()) consider(*asked + options_.claim_timeout);
    if (!lead.backoff.empty()) consider(lead.backoff.begin()->first);
    if (lead.isolation.waiting() > 0) consider(shared_.lead->quiet_until);
    if (route_.up()) {
      consider(send_from_);
      consider(limited_until_);
      consider(lead.topics.next());
      if (!lead.tiers.none_again() || !lead.tiers.exhausted()) consider(lead.window.next());
      if (const auto span = lead.isolation.watch()) consider(route_.up_since() + *span);
    }
  }
  if (lead.reset_at) {
    consider(*lead.reset_at + kResetGrace);
  } else if (!lead.flights.empty()) {
    consider(lead.flights.begin()->second.sent_at + options_.claim_timeout);
  }
  return soonest;
}

void RouteRelay::publish(RouteStatus& status) {
  status.sink = state_for_people(route_.state());
  status.sink_problem = sink_problem_;
  status.name = name_;
  status.paused = pause_wanted_.load(std::memory_order_relaxed);
  status.held_by = held_by_;
  status.held_back = held_by_ == HeldBy::quiet || held_by_ == HeldBy::budget;
  status.held_until = held_by_ == HeldBy::nothing ? std::nullopt : limited_until_;
  status.sink_name = sink_name_;
  status.in_flight = in_flight();
  status.delivered = delivered_;
  if (limits_.counts_bytes()) {
    status.budget_used = limits_.budget_used(shared_.now, shared_.clock.wall());
  }
}

void RouteRelay::add_sizes(Snapshot& snapshot) const noexcept {
  if (!lead_) return;
  snapshot.in_flight += lead_->flights.size();
  snapshot.retrying += lead_->backoff.size();
  snapshot.keys += lead_->tiers.keys();
  snapshot.read_ahead += lead_->tiers.loaded_count();
  snapshot.held_topics += lead_->topics.size();
}

}  // namespace satchel::relay
