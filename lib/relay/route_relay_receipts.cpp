// SPDX-License-Identifier: MIT
#include "relay/route_relay.hpp"

#include <algorithm>

namespace satchel::relay {

namespace {

/// Breaks of the connection after which a message is sent alone.
constexpr int kBreaksToSuspect = 2;

}  // namespace

void RouteRelay::on_receipt(const Receipt& receipt) {
  if (!lead_ || lead_->flights.count(receipt.claim) == 0) {
    ++shared_.counters.ignored;
    return;
  }
  Lead& lead = *lead_;
  const auto place = lead.flights.find(receipt.claim);
  const Flight flight = place->second;
  lead.flights.erase(place);
  lead.flight_bytes -= flight.bytes;
  if (flight.alone) {
    lead.alone = lead.sole = wants_process_ = false;
    // As long as it is noted as sent alone, an end of the process counts against it.
    shared_.lead->settle_now = true;
  }
  if (receipt.verdict != Verdict::delivered) shared_.lead->note_is_stale = true;
  Entry& entry = lead.ledger.at(flight.row);
  // Only a failure has to do with limits.
  const RetryLimits limits = receipt.verdict == Verdict::retry ? limits_for(entry) : RetryLimits{};
  const Decision decision = decide(receipt, entry.attempts, age(entry), limits);
  const bool conclusive = decision.act != Act::give_back && decision.act != Act::hold;
  if (conclusive && std::exchange(entry.trial, false)) release_topic(entry.topic);
  switch (decision.act) {
    case Act::deliver:
      end_delivered(entry, flight.sent_at);
      break;
    case Act::fail:
      // The sink answered for it, so it breaks neither connections nor processes.
      lead.isolation.acquit(flight.row);
      entry.crashed = false;
      shared_.lead->crash_suspects.erase(flight.row);
      end_failed(entry, decision.attempts, receipt.reason,
                 pause_after(limits.backoff, decision.attempts, receipt.after, shared_.jitter));
      break;
    case Act::die:
      end_dead(entry, decision.reason, decision.attempts, receipt.reason);
      break;
    case Act::give_back:
      on_down(receipt, flight, entry);
      break;
    case Act::hold:
      on_blocked(receipt, flight, entry);
      break;
  }
}

/// The sink failed, not the message. Nothing is counted, unless the message breaks connections.
void RouteRelay::on_down(const Receipt& receipt, const Flight& flight, Entry& entry) {
  Lead& lead = *lead_;
  // A receipt of an earlier connection says nothing about this one.
  if (flight.session == route_.session()) fell(receipt);
  if (receipt.exposed) entry.breaks = std::min(entry.breaks + 1, kBreaksToSuspect);
  const bool suspected = receipt.exposed && entry.breaks >= kBreaksToSuspect;
  if (ends_trial(entry)) {
    lead.topics.retry_at_once(entry.topic, shared_.now);
    hold_back(flight.row);
  } else if (suspected && flight.alone && !lead.isolation.watching()) {
    lead.isolation.suspect(flight.row, deliveries_);
    lead.isolation.broke(flight.row, shared_.now - flight.sent_at);
    entry.place = Place::watched;
  } else if (suspected || flight.alone) {
    entry.place = Place::alone;
    lead.isolation.suspect(flight.row, deliveries_);
  } else {
    send_again(entry);
  }
}

/// Of a topic that was let go of with the whole route its try is a message like others.
bool RouteRelay::ends_trial(Entry& entry) {
  return std::exchange(entry.trial, false) && lead_->topics.holds(entry.topic);
}

/// Credentials, rights or configuration. It may be this topic alone.
void RouteRelay::on_blocked(const Receipt& receipt, const Flight& flight, Entry& entry) {
  Lead& lead = *lead_;
  const bool here = route_.up() && flight.session == route_.session();
  const std::string topic = entry.topic;
  const auto keep = [&] {
    if (flight.alone) {
      entry.place = Place::alone;
    } else if (lead.topics.holds(topic)) {
      hold_back(flight.row);
    } else {
      send_again(entry);
    }
  };
  const bool trial = ends_trial(entry);
  if (!here && !trial) {
    keep();
    return;
  }
  if (here && lead.topics.blocks_route(topic, deliveries_)) {
    release_all_topics();
    fell(receipt);
    keep();
    return;
  }
  const milliseconds pause =
      std::max(options_.blocked_probe, capped_wish(options_.probe_backoff, receipt.after));
  if (trial || !lead.topics.holds(topic)) {
    const std::string problem = "topic " + topic + ": " + receipt.reason;
    const bool news = !lead.topics.holds(topic);
    lead.topics.hold(topic, flight.row, shared_.now + pause, deliveries_);
    sink_problem_ = problem;
    if (news) shared_.observer.sink_down(sink_name_, problem, true, pause);
  }
  keep();
}

void RouteRelay::fell(const Receipt& cause) {
  if (!lead_) return;
  const bool was_up = route_.up();
  const std::optional<milliseconds> pause = route_.fall(cause, shared_.now, shared_.jitter);
  if (!pause) return;
  sink_problem_ = cause.reason;
  // What waited for company would wait for the outage.
  shared_.lead->settle_now = true;
  outage_ = true;
  held_by_ = HeldBy::nothing;
  if (was_up) {
    lead_->window.outage();
    lead_->tiers.forget_loaded();
    if (lead_->isolation.watching()) conclude(lead_->isolation.link_at_fault());
  }
  shared_.observer.sink_down(sink_name_, cause.reason, cause.verdict == Verdict::blocked, *pause);
}

void RouteRelay::rose() {
  if (!lead_ || !route_.rise(shared_.now)) return;
  sink_problem_.clear();
  lead_->tiers.came_up();
  // No draw without need: the other pauses stay what they would be.
  if (std::exchange(outage_, false) && options_.drain_jitter.count() > 0)
    send_from_ = shared_.now + shared_.jitter.draw(options_.drain_jitter);
  shared_.observer.sink_up(sink_name_);
}

/// The end of a watch over a connection without the suspect.
void RouteRelay::conclude(const Isolation::Verdict& verdict) {
  Lead& lead = *lead_;
  Entry& entry = lead.ledger.at(verdict.row);
  entry.place = Place::alone;
  if (verdict.guilty) {
    const std::string error =
        "the connection broke while this message alone was in flight, and held without it";
    const RetryLimits limits = limits_for(entry);
    const Decision decision = count_attempt(entry.attempts, age(entry), limits);
    entry.marked = true;
    if (decision.act == Act::die) {
      end_dead(entry, decision.reason, decision.attempts, error);
    } else {
      end_failed(entry, decision.attempts, error,
                 pause_after(limits.backoff, decision.attempts, {}, shared_.jitter));
    }
  } else if (verdict.taken_back > 0) {
    end_failed(entry, std::max(0, entry.attempts - verdict.taken_back),
               "the connection breaks without this message as well", milliseconds{0}, true);
  }
}

void RouteRelay::release_topic(const std::string& topic) {
  if (!lead_->topics.holds(topic)) return;
  forget_topic(topic);
  if (!lead_->topics.empty() || !route_.up()) return;
  sink_problem_.clear();
  shared_.observer.sink_up(sink_name_);
}

void RouteRelay::release_all_topics() {
  while (!lead_->topics.empty()) forget_topic(lead_->topics.first());
}

void RouteRelay::forget_topic(const std::string& topic) {
  if (const auto from = lead_->topics.release(topic)) lead_->tiers.rewind(*from);
  lead_->tiers.release_topic(topic);
}

/// Lets go of a message of a held topic; what is remembered is from where to read again.
void RouteRelay::hold_back(std::int64_t row) {
  Lead& lead = *lead_;
  const auto found = lead.ledger.find(row);
  const Entry& entry = found->second;
  if (entry.key.empty()) {
    lead.topics.pass_over(entry.topic, row);
  } else {
    Lanes& lanes = lead.tiers.of(entry.priority).supply.lanes();
    lanes.put_back(entry.key, row);
    lanes.hold(entry.key, entry.topic);
  }
  lead.isolation.acquit(row);
  lead.ledger.erase(found);
}

/// Lets go of a message of a blocked key: it is read again with the key.
void RouteRelay::let_go(std::int64_t row) {
  Lead& lead = *lead_;
  const auto found = lead.ledger.find(row);
  Lanes& lanes = lead.tiers.of(found->second.priority).supply.lanes();
  lanes.free(found->second.key, row);
  lanes.drop(found->second.key);
  lead.isolation.acquit(row);
  lead.ledger.erase(found);
}

void RouteRelay::send_again(Entry& entry) {
  entry.place = Place::again;
  lead_->tiers.of(entry.priority).again.insert(entry.id.row);
}

/// Time with the sink up since the first failure.
milliseconds RouteRelay::age(const Entry& entry) const noexcept {
  if (entry.attempts == 0) return milliseconds{0};
  return entry.aged + (route_.up_total(shared_.now) - entry.up_mark);
}

}  // namespace satchel::relay
