// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <algorithm>

namespace satchel::relay {

namespace {

/// Breaks of the connection after which a message is sent alone.
constexpr int kBreaksToSuspect = 2;

}  // namespace

void Relay::Engine::on_receipt(const Receipt& receipt) {
  if (!lead_ || lead_->flights.count(receipt.claim) == 0) {
    ++counters_.ignored;
    return;
  }
  Lead& lead = *lead_;
  const auto place = lead.flights.find(receipt.claim);
  const Flight flight = place->second;
  lead.flights.erase(place);
  lead.flight_bytes -= flight.bytes;
  if (flight.alone) lead.alone = false;
  if (receipt.verdict != Verdict::delivered) lead.note_is_stale = true;
  Entry& entry = lead.ledger.at(flight.row);
  const Decision decision = decide(receipt, entry.attempts, age(entry), options_);
  const bool conclusive = decision.act != Act::give_back && decision.act != Act::hold;
  if (conclusive && std::exchange(entry.trial, false)) release_topic(entry.topic);
  switch (decision.act) {
    case Act::deliver:
      end_delivered(entry);
      break;
    case Act::fail:
      // The sink answered for it, so it breaks neither connections nor processes.
      lead.isolation.acquit(flight.row);
      entry.crashed = false;
      lead.crash_suspects.erase(flight.row);
      end_failed(entry, decision.attempts, receipt.reason,
                 pause_after(options_.retry_backoff, decision.attempts, receipt.after, jitter_));
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
void Relay::Engine::on_down(const Receipt& receipt, const Flight& flight, Entry& entry) {
  Lead& lead = *lead_;
  // A receipt of an earlier connection says nothing about this one.
  if (flight.session == route_.session()) fell(receipt);
  if (receipt.exposed) entry.breaks = std::min(entry.breaks + 1, kBreaksToSuspect);
  const bool suspected = receipt.exposed && entry.breaks >= kBreaksToSuspect;
  if (std::exchange(entry.trial, false)) {
    lead.topics.retry_at_once(entry.topic, now_);
    hold_back(flight.row);
  } else if (suspected && flight.alone && !lead.isolation.watching()) {
    lead.isolation.suspect(flight.row, deliveries_);
    lead.isolation.broke(flight.row, now_ - flight.sent_at);
    entry.place = Place::watched;
  } else if (suspected || flight.alone) {
    entry.place = Place::alone;
    lead.isolation.suspect(flight.row, deliveries_);
  } else {
    send_again(entry);
  }
}

/// Credentials, rights or configuration. It may be this topic alone.
void Relay::Engine::on_blocked(const Receipt& receipt, const Flight& flight, Entry& entry) {
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
  const bool trial = std::exchange(entry.trial, false);
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
    lead.topics.hold(topic, flight.row, now_ + pause, deliveries_);
    sink_problem_ = problem;
    if (news) ports_.observer.sink_down(sink_name_, problem, true, pause);
  }
  keep();
}

void Relay::Engine::fell(const Receipt& cause) {
  if (!lead_) return;
  const bool was_up = route_.up();
  const std::optional<milliseconds> pause = route_.fall(cause, now_, jitter_);
  if (!pause) return;
  sink_problem_ = cause.reason;
  if (was_up) {
    lead_->window.outage();
    lead_->supply.forget_loaded();
    if (lead_->isolation.watching()) conclude(lead_->isolation.link_at_fault());
  }
  ports_.observer.sink_down(sink_name_, cause.reason, cause.verdict == Verdict::blocked, *pause);
}

void Relay::Engine::rose() {
  if (!lead_ || !route_.rise(now_)) return;
  sink_problem_.clear();
  ports_.observer.sink_up(sink_name_);
}

/// The end of a watch over a connection without the suspect.
void Relay::Engine::conclude(const Isolation::Verdict& verdict) {
  Lead& lead = *lead_;
  Entry& entry = lead.ledger.at(verdict.row);
  entry.place = Place::alone;
  if (verdict.guilty) {
    const std::string error =
        "the connection broke while this message alone was in flight, and held without it";
    const Decision decision = count_attempt(entry.attempts, age(entry), options_);
    entry.marked = true;
    if (decision.act == Act::die) {
      end_dead(entry, decision.reason, decision.attempts, error);
    } else {
      end_failed(entry, decision.attempts, error,
                 pause_after(options_.retry_backoff, decision.attempts, {}, jitter_));
    }
  } else if (verdict.taken_back > 0) {
    end_failed(entry, std::max(0, entry.attempts - verdict.taken_back),
               "the connection breaks without this message as well", milliseconds{0}, true);
  }
}

void Relay::Engine::release_topic(const std::string& topic) {
  if (const auto from = lead_->topics.release(topic)) lead_->supply.rewind(*from);
  lead_->supply.lanes().release(topic);
  lead_->supply.changed();
  if (lead_->topics.empty() && route_.up()) sink_problem_.clear();
}

void Relay::Engine::release_all_topics() {
  while (!lead_->topics.empty()) release_topic(lead_->topics.first());
}

/// Lets go of a message of a held topic; what is remembered is from where to read again.
void Relay::Engine::hold_back(std::int64_t row) {
  Lead& lead = *lead_;
  const auto found = lead.ledger.find(row);
  const Entry& entry = found->second;
  if (entry.key.empty()) {
    lead.topics.pass_over(entry.topic, row);
  } else {
    lead.supply.lanes().put_back(entry.key, row);
    lead.supply.lanes().hold(entry.key, entry.topic);
  }
  lead.isolation.acquit(row);
  lead.ledger.erase(found);
}

void Relay::Engine::send_again(Entry& entry) {
  entry.place = Place::again;
  lead_->again.insert(entry.id.row);
}

/// Time with the sink up since the first failure.
milliseconds Relay::Engine::age(const Entry& entry) const noexcept {
  if (entry.attempts == 0) return milliseconds{0};
  return entry.aged + (route_.up_total(now_) - entry.up_mark);
}

}  // namespace satchel::relay
