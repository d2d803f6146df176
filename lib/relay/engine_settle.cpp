// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <satchel/error.hpp>

#include <algorithm>

namespace satchel::relay {

namespace {

constexpr int kSettlesPerRound = 8;

}  // namespace

void Relay::Engine::settle() {
  for (int times = 0; times < kSettlesPerRound && settle_due(); ++times) {
    if (!settle_once()) return;
    shared_.progress = true;
  }
}

bool Relay::Engine::settle_due() const {
  const Shared::Lead& lead = *shared_.lead;
  if (lead.outcomes.empty() || lead.occupied) return false;
  if (lead.outcomes.size() >= std::min(shared_.options.batch_size, shared_.options.max_unsettled))
    return true;
  if (in_flight() == 0 || shared_.draining || trouble_.failure()) return true;
  return shared_.now - lead.outcomes.oldest() >= shared_.options.settle_linger;
}

/// Records a batch of outcomes. False: the storage is occupied and says when it is worth another call.
bool Relay::Engine::settle_once() {
  Shared::Lead& lead = *shared_.lead;
  const std::size_t most = std::max<std::size_t>(1, shared_.options.batch_size / lead.settle_share);
  Settlement settlement = lead.outcomes.settlement(most);
  for (const auto& route : routes_) route->add_notes(settlement.notes);
  bool recorded = false;
  try {
    recorded = shared_.storage.settle(settlement);
  } catch (const OutcomeUnknown&) {
    // It may be recorded: the same set has to be settled again, whatever comes in between.
    throw;
  } catch (const FullError&) {
    lead.outcomes.refused();
    if (settlement.size() <= 1) throw;
    // What does not fit together may fit one by one: each makes room for the next.
    lead.settle_share = std::min(lead.settle_share * 2, shared_.options.batch_size);
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
  for (const auto& route : routes_) route->notes_recorded();
  for (const Outcome& outcome : lead.outcomes.recorded()) routes_[outcome.route]->recorded(outcome);
  return true;
}

}  // namespace satchel::relay
