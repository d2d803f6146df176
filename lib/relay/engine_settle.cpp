// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <satchel/error.hpp>

#include <algorithm>

namespace satchel::relay {

namespace {

constexpr int kSettlesPerRound = 8;

}  // namespace

/// A message has come to its end: its key goes on, the outcome waits to be recorded.
void Relay::Engine::end(Entry& entry, Outcome outcome) {
  Lead& lead = *lead_;
  outcome.id = entry.id;
  entry.place = Place::outcome;
  lead.again.erase(entry.id.row);
  lead.isolation.acquit(entry.id.row);
  lead.crash_suspects.erase(entry.id.row);
  if (!entry.key.empty()) lead.supply.lanes().free(entry.key, entry.id.row);
  if (std::exchange(entry.trial, false)) release_topic(entry.topic);
  lead.outcomes.add(std::move(outcome), now_);
}

void Relay::Engine::end_delivered(Entry& entry) {
  ++deliveries_;
  lead_->window.delivered();
  Outcome outcome;
  outcome.kind = Outcome::Kind::delivered;
  outcome.attempts = entry.attempts;
  end(entry, std::move(outcome));
}

void Relay::Engine::end_expired(Entry& entry) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::expired;
  outcome.attempts = entry.attempts;
  end(entry, std::move(outcome));
}

void Relay::Engine::end_dead(Entry& entry, DeadReason reason, int attempts, std::string error) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::died;
  outcome.reason = reason;
  outcome.attempts = attempts;
  outcome.error = std::move(error);
  end(entry, std::move(outcome));
}

/// An attempt is counted (or, silently, taken back). The message keeps its key and waits, once that is
/// recorded, for its next attempt.
void Relay::Engine::end_failed(Entry& entry, int attempts, const std::string& error, milliseconds backoff,
                               bool silent) {
  Lead& lead = *lead_;
  const std::int64_t row = entry.id.row;
  entry.aged = age(entry);
  entry.up_mark = route_.up_total(now_);
  entry.attempts = attempts;
  entry.place = Place::outcome;
  lead.again.erase(row);
  lead.isolation.leave_queue(row);
  // Nothing of the key can be sent for a while: what was read ahead of it would only take up room.
  if (!entry.key.empty()) lead.supply.lanes().unload(entry.key);
  Outcome outcome;
  outcome.kind = Outcome::Kind::failed;
  outcome.id = entry.id;
  outcome.attempts = attempts;
  outcome.error = error;
  outcome.suspect = entry.marked;
  outcome.due = now_ + backoff;
  outcome.backoff = backoff;
  outcome.aged = entry.aged;
  outcome.silent = silent;
  lead.outcomes.add(std::move(outcome), now_);
}

void Relay::Engine::settle() {
  for (int times = 0; times < kSettlesPerRound && settle_due(); ++times) {
    if (!settle_once()) return;
    progress_ = true;
  }
}

bool Relay::Engine::settle_due() const {
  const Lead& lead = *lead_;
  if (lead.outcomes.empty() || lead.occupied) return false;
  if (lead.outcomes.size() >= std::min(options_.batch_size, options_.max_unsettled)) return true;
  if (lead.flights.empty() || draining_ || trouble_.failure()) return true;
  return now_ - lead.outcomes.oldest() >= options_.settle_linger;
}

/// Records a batch of outcomes. False: the storage is occupied and says when it is worth another call.
bool Relay::Engine::settle_once() {
  Lead& lead = *lead_;
  const std::size_t most = std::max<std::size_t>(1, options_.batch_size / lead.settle_share);
  const Settlement settlement = lead.outcomes.settlement(most);
  bool recorded = false;
  try {
    recorded = ports_.storage.settle(settlement);
  } catch (const OutcomeUnknown&) {
    // It may be recorded: the same set has to be settled again, whatever comes in between.
    throw;
  } catch (const FullError&) {
    lead.outcomes.refused();
    if (settlement.size() <= 1) throw;
    // What does not fit together may fit one by one: each makes room for the next.
    lead.settle_share = std::min(lead.settle_share * 2, options_.batch_size);
    return settle_once();
  } catch (...) {
    lead.outcomes.refused();
    throw;
  }
  if (!recorded) {
    lead.outcomes.refused();
    lead.occupied = true;
    return false;
  }
  lead.settle_share = std::max<std::size_t>(1, lead.settle_share / 2);
  for (const Outcome& outcome : lead.outcomes.recorded()) note(outcome);
  return true;
}

void Relay::Engine::note(const Outcome& outcome) {
  Lead& lead = *lead_;
  const std::int64_t row = outcome.id.row;
  switch (outcome.kind) {
    case Outcome::Kind::delivered:
      ++counters_.delivered;
      break;
    case Outcome::Kind::expired:
      ++counters_.expired;
      break;
    case Outcome::Kind::died:
      ++counters_.died;
      break;
    case Outcome::Kind::failed:
      if (!outcome.silent) ++counters_.retried;
      lead.ledger.at(row).place = Place::backoff;
      lead.backoff.emplace(outcome.due, row);
      break;
  }
  if (outcome.kind != Outcome::Kind::failed) lead.ledger.erase(row);
  report(ports_.observer, outcome);
}

}  // namespace satchel::relay
