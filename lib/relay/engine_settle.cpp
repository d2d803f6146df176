// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <satchel/error.hpp>

#include <algorithm>

namespace satchel::relay {

namespace {

constexpr int kSettlesPerRound = 8;

/// How long outcomes wait at most when others are in flight, whose receipts are about to come.
constexpr milliseconds kCompany{20};

/// Deliveries offered to the commits of the application at a time.
constexpr std::size_t kMostRiding = 64;

}  // namespace

void Relay::Engine::settle() {
  for (int times = 0; times < kSettlesPerRound && settle_due(); ++times) {
    if (!settle_once()) return;
    shared_.progress = true;
  }
  Shared::Lead& lead = *shared_.lead;
  lead.settle_now = lead.settle_now && !lead.outcomes.empty();
}

/// Offers what was delivered to the commits of the application, and takes up what they have recorded.
void Relay::Engine::let_outcomes_ride() {
  Shared::Lead& lead = *shared_.lead;
  // Receipts that linger wait anyway.
  if (!may_ride_ && shared_.options.settle_linger == milliseconds{0}) return;
  const bool offers = !shared_.draining && !trouble_.failure();
  Ride ride = shared_.storage.ride(offers ? lead.outcomes.riders(kMostRiding) : std::vector<std::int64_t>{});
  lead.ride_near = may_ride_ && offers && ride.near;
  if (ride.recorded.empty()) return;
  for (const Outcome& outcome : lead.outcomes.rode(ride.recorded)) routes_[outcome.route]->recorded(outcome);
  shared_.progress = true;
}

bool Relay::Engine::settle_due() const {
  const Shared::Lead& lead = *shared_.lead;
  if (lead.outcomes.empty() || lead.occupied) return false;
  const std::size_t most = shared_.options.max_unsettled;
  if (lead.outcomes.size() >= (rides() ? most : std::min(shared_.options.batch_size, most))) return true;
  if (lead.settle_now || shared_.draining || trouble_.failure()) return true;
  // A note that names what came back unsent has to be corrected, which waits for the outcomes.
  if (in_flight() == 0 && !rides() && (!lingers() || lead.note_is_stale)) return true;
  return shared_.now >= settle_at();
}

/// Receipts wait for a commit of the application that is likely to come in a moment.
bool Relay::Engine::rides() const {
  return shared_.lead->ride_near && shared_.lead->outcomes.only_delivered();
}

/// Receipts wait for those of messages that are yet to be sent. A failure does not: until it is recorded the
/// message gets no further attempt, and nobody sees a dead letter.
bool Relay::Engine::lingers() const {
  return shared_.options.settle_linger > milliseconds{0} && shared_.lead->outcomes.only_delivered();
}

/// When the outcomes have waited long enough; only while there are any.
BootTime Relay::Engine::settle_at() const {
  const milliseconds linger = shared_.options.settle_linger;
  const Outcomes& outcomes = shared_.lead->outcomes;
  if (lingers()) return outcomes.oldest() + linger;
  return outcomes.oldest() + (linger > milliseconds{0} ? std::min(linger, kCompany) : kCompany);
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
