// SPDX-License-Identifier: MIT
#include "relay/route_relay.hpp"

#include <satchel/error.hpp>

#include <algorithm>

namespace satchel::relay {

/// A message has come to its end: its key goes on, the outcome waits to be recorded.
void RouteRelay::end(Entry& entry, Outcome outcome) {
  Lead& lead = *lead_;
  Tier& tier = lead.tiers.of(entry.priority);
  outcome.id = entry.id;
  outcome.route = number_;
  entry.place = Place::outcome;
  tier.again.erase(entry.id.row);
  lead.isolation.acquit(entry.id.row);
  shared_.lead->crash_suspects.erase(entry.id.row);
  if (!entry.key.empty()) tier.supply.lanes().free(entry.key, entry.id.row);
  if (std::exchange(entry.trial, false)) release_topic(entry.topic);
  shared_.lead->outcomes.add(std::move(outcome), shared_.now);
}

void RouteRelay::end_delivered(Entry& entry, BootTime sent_at) {
  ++deliveries_;
  lead_->window.delivered(shared_.now - sent_at);
  Outcome outcome;
  outcome.kind = Outcome::Kind::delivered;
  outcome.attempts = entry.attempts;
  end(entry, std::move(outcome));
}

void RouteRelay::end_expired(Entry& entry) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::expired;
  outcome.attempts = entry.attempts;
  end(entry, std::move(outcome));
}

void RouteRelay::end_dead(Entry& entry, DeadReason reason, int attempts, std::string error) {
  if (options_.dead_key == DeadKey::block && !entry.key.empty()) block(entry);
  Outcome outcome;
  outcome.kind = Outcome::Kind::died;
  outcome.reason = reason;
  outcome.attempts = attempts;
  outcome.error = std::move(error);
  end(entry, std::move(outcome));
}

/// An attempt is counted (or, silently, taken back). The message keeps its key and waits, once that is
/// recorded, for its next attempt.
void RouteRelay::end_failed(Entry& entry, int attempts, const std::string& error, milliseconds backoff,
                            bool silent) {
  Lead& lead = *lead_;
  const std::int64_t row = entry.id.row;
  entry.aged = age(entry);
  entry.up_mark = route_.up_total(shared_.now);
  entry.attempts = attempts;
  entry.place = Place::outcome;
  Tier& tier = lead.tiers.of(entry.priority);
  tier.again.erase(row);
  lead.isolation.leave_queue(row);
  // Nothing of the key can be sent for a while: what was read ahead of it would only take up room.
  if (!entry.key.empty()) tier.supply.lanes().unload(entry.key);
  Outcome outcome;
  outcome.kind = Outcome::Kind::failed;
  outcome.id = entry.id;
  outcome.route = number_;
  outcome.attempts = attempts;
  outcome.error = error;
  outcome.suspect = entry.marked;
  outcome.due = shared_.now + backoff;
  outcome.backoff = backoff;
  outcome.aged = entry.aged;
  outcome.silent = silent;
  shared_.lead->outcomes.add(std::move(outcome), shared_.now);
}

RetryLimits RouteRelay::limits_for(const Entry& entry) const {
  return limits_of(entry.topic, entry.retry, options_);
}

/// The messages behind a dead letter wait until it is replayed or discarded.
void RouteRelay::block(const Entry& entry) {
  if (!shared_.lead->dead_keys.add(entry.id.row, entry.key)) {
    shared_.observer.notice("more than " + std::to_string(DeadKeys::kMost) +
                            " keys have a dead letter: the messages of the others are not held back");
    return;
  }
  lead_->tiers.of(entry.priority).supply.lanes().drop(entry.key);
}

void RouteRelay::recorded(const Outcome& outcome) {
  Lead& lead = *lead_;
  const std::int64_t row = outcome.id.row;
  Snapshot& counters = shared_.counters;
  switch (outcome.kind) {
    case Outcome::Kind::delivered:
      ++counters.delivered;
      ++delivered_;
      if (const auto entry = lead.ledger.find(row); entry != lead.ledger.end()) {
        counters.delivered_bytes += entry->second.bytes;
        counters.meter.add(shared_.now, entry->second.bytes);
      }
      break;
    case Outcome::Kind::expired:
      ++counters.expired;
      break;
    case Outcome::Kind::died:
      ++counters.died;
      shared_.lead->dead_keys.recorded(row);
      break;
    case Outcome::Kind::failed:
      if (!outcome.silent) ++counters.retried;
      lead.ledger.at(row).place = Place::backoff;
      lead.backoff.emplace(outcome.due, row);
      break;
  }
  if (outcome.kind != Outcome::Kind::failed) lead.ledger.erase(row);
  report(shared_.observer, outcome);
}

void RouteRelay::add_notes(std::vector<std::pair<std::string, std::string>>& notes) {
  if (note_due_) notes.emplace_back("budget:" + name_, limits_.note(shared_.clock.boot_id()));
}

/// Messages that were in flight when the last relay's process died. None of them is guilty yet: each is sent
/// alone from now on.
bool RouteRelay::take_suspect(const Loaded& found) {
  Lead& lead = *lead_;
  const StoredMessage& message = found.message;
  const std::int64_t row = message.id.row;
  Lanes& lanes = lead.tiers.of(message.priority).supply.lanes();
  // Behind an older one of its key: it comes under suspicion when it is taken up.
  if (!message.key.empty() && !lanes.occupy(message.key, row)) return false;
  Entry& entry = lead.ledger[row];
  take_up(entry, found);
  entry.place = Place::alone;
  entry.attempts = message.attempts;
  entry.aged = message.aged;
  entry.up_mark = route_.up_total(shared_.now);
  lead.isolation.suspect(row, deliveries_);
  return true;
}

void RouteRelay::count_crash(std::int64_t row) {
  Entry& entry = lead_->ledger.at(row);
  const std::string error = "the process ended while this message alone was in flight";
  const int attempts = entry.attempts + 1;
  const RetryLimits limits = limits_for(entry);
  entry.marked = true;
  if (attempts >= limits.max_attempts) {
    end_dead(entry, DeadReason::crashed, attempts, error);
  } else {
    end_failed(entry, attempts, error, pause_after(limits.backoff, attempts, {}, shared_.jitter));
  }
}

}  // namespace satchel::relay
