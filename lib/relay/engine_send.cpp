// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <algorithm>

namespace satchel::relay {

namespace {

constexpr int kBatchesPerRound = 8;

}  // namespace

/// Messages whose `not_before` is over, a batch a round.
void Relay::Engine::release_due(const Look& look) {
  if (!look.due || shared_.draining) return;
  const Released released = shared_.storage.release_due(shared_.options.batch_size);
  if (released.occupied) {
    // The wake that follows is not to be taken for a failure that heals.
    shared_.lead->occupied = true;
    return;
  }
  for (const Released::Row& row : released.rows) {
    if (const std::optional<std::size_t> route = routing_.of(row.topic)) routes_[*route]->appeared(row);
  }
  // Nothing released: what was due is gone, or its time has only begun. The next look tells what to wait for.
  shared_.progress = true;
}

/// Every route has its turn to be the first.
bool Relay::Engine::hand_over() {
  if (shared_.draining) return false;
  bool any = false;
  const std::size_t first = turn_++;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    any = serve(*routes_[(first + i) % routes_.size()]) || any;
  }
  return any;
}

bool Relay::Engine::serve(RouteRelay& route) {
  bool any = false;
  for (int batches = 0; batches < kBatchesPerRound; ++batches) {
    if (!route.may_send() || waits_for_another(route)) break;
    if (shared_.lead->outcomes.size() >= shared_.options.max_unsettled) break;
    std::vector<Loaded> batch = route.fill(in_flight() - route.in_flight());
    if (batch.empty()) break;
    std::vector<std::int64_t> left_out;
    try {
      left_out = note(route, batch);
    } catch (...) {
      // Until the storage has noted it, nothing is sent.
      route.put_back(batch);
      throw;
    }
    route.launch(std::move(batch), left_out);
    any = true;
  }
  return any;
}

/// A message that may end the process has the process to itself. When several routes have one, the first goes
/// first.
bool Relay::Engine::waits_for_another(const RouteRelay& route) const noexcept {
  const auto find = [this](auto which) {
    const auto found =
        std::find_if(routes_.begin(), routes_.end(), [&](const auto& one) { return which(*one); });
    return found == routes_.end() ? nullptr : found->get();
  };
  const RouteRelay* owner = find([](const RouteRelay& one) { return one.has_process(); });
  if (owner == nullptr) owner = find([](const RouteRelay& one) { return one.wants_process(); });
  return owner != nullptr && owner != &route;
}

/// Tells the storage what is about to be in flight, of all routes. Returns what must not be.
std::vector<std::int64_t> Relay::Engine::note(const RouteRelay& route, const std::vector<Loaded>& batch) {
  InFlight all = suspects_to_note();
  for (const auto& one : routes_) one->add_flights(all.rows);
  for (const Loaded& one : batch) {
    all.rows.push_back(one.message.id.row);
    all.highest = std::max(all.highest, one.message.id.row);
  }
  if (route.has_process() && shared_.now >= shared_.lead->quiet_until)
    all.alone = batch.front().message.id.row;
  std::sort(all.rows.begin(), all.rows.end());
  all.rows.erase(std::unique(all.rows.begin(), all.rows.end()), all.rows.end());
  std::vector<std::int64_t> left_out = shared_.storage.before_send(all);
  shared_.lead->note_is_stale = false;
  return left_out;
}

/// Suspects that wait for their turn stay noted, so that another death does not make them forgotten: two
/// messages that end the process would take turns for ever.
InFlight Relay::Engine::suspects_to_note() const {
  InFlight note;
  note.rows.assign(shared_.lead->crash_suspects.begin(), shared_.lead->crash_suspects.end());
  note.delivered = shared_.lead->outcomes.kept();
  return note;
}

/// After an outage nothing is in flight, maybe for weeks. A process that ends then must not make suspects of
/// what came back, nor count a second time what was counted at the start.
void Relay::Engine::correct_note() {
  Shared::Lead& lead = *shared_.lead;
  if (!lead.note_is_stale || in_flight() != 0 || !lead.outcomes.empty()) return;
  shared_.storage.before_send(suspects_to_note());
  lead.note_is_stale = false;
}

std::size_t Relay::Engine::in_flight() const noexcept {
  std::size_t all = 0;
  for (const auto& route : routes_) all += route->in_flight();
  return all;
}

}  // namespace satchel::relay
