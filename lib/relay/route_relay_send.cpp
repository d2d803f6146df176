// SPDX-License-Identifier: MIT
#include "relay/route_relay.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <exception>

namespace satchel::relay {

namespace {

/// A look at messages that a transaction is about to drop.
constexpr milliseconds kWithheld{20};

Delivery delivery_of(Loaded loaded, std::uint64_t claim, BootTime now) {
  StoredMessage& message = loaded.message;
  Delivery delivery;
  delivery.claim = claim;
  delivery.id = message.id;
  delivery.topic = std::move(message.topic);
  delivery.payload = std::move(message.payload);
  delivery.key = std::move(message.key);
  delivery.content_type = std::move(message.content_type);
  delivery.headers = std::move(message.headers);
  delivery.created = message.created;
  delivery.attempts = message.attempts;
  delivery.sequence = message.sequence;
  if (message.remaining) {
    const auto waited = std::chrono::duration_cast<milliseconds>(now - loaded.read_at);
    delivery.remaining = *message.remaining - waited;
  }
  return delivery;
}

bool expired(const Loaded& loaded, BootTime now) noexcept {
  return loaded.message.remaining &&
         *loaded.message.remaining <= std::chrono::duration_cast<milliseconds>(now - loaded.read_at);
}

}  // namespace

bool RouteRelay::may_send() const noexcept {
  return lead_ && route_.up() && !paused_ && !shared_.draining && shared_.now >= send_from_;
}

bool RouteRelay::wants_process() const noexcept { return has_process() || (wants_process_ && may_send()); }

/// Suspects one by one, tries of held topics, then by priority what came back and the supply.
std::vector<Loaded> RouteRelay::fill(std::size_t others) {
  Lead& lead = *lead_;
  Outcomes& outcomes = shared_.lead->outcomes;
  std::vector<Loaded> batch;
  if (lead.alone) return batch;
  try {
    plan();
    if (fill_alone(batch, others)) return batch;
    const std::size_t room = lead.window.room(lead.flights.size(), sink_.capacity(), shared_.now);
    if (room == 0) return batch;
    try_topic(batch);
    const auto open = [&] { return batch.size() < room && outcomes.size() < options_.max_unsettled; };
    if (!open()) return batch;
    const bool may_advance = lead.backoff.size() < retrying_limit(options_);
    const std::size_t ahead = std::max(room, options_.batch_size / 2);
    if (may_advance && lead.ledger.empty() && lead.topics.empty()) lead.tiers.look_again();
    const bool read = lead.tiers.refill(lead.ledger, room, ahead, may_advance, shared_.now);
    shared_.progress = shared_.progress || (read && !lead.tiers.exhausted());
    std::size_t bytes = 0;
    while (open()) {
      Tier* const tier = lead.tiers.next();
      if (tier == nullptr || !add_from(*tier, batch, bytes)) break;
    }
  } catch (...) {
    put_back(batch);
    throw;
  }
  return batch;
}

void RouteRelay::put_back(const std::vector<Loaded>& batch) {
  Lead& lead = *lead_;
  const bool alone = std::exchange(lead.alone, false);
  lead.sole = false;
  for (const Loaded& one : batch) {
    Entry& entry = lead.ledger.at(one.message.id.row);
    if (alone) {
      entry.place = Place::alone;
    } else {
      send_again(entry);
    }
  }
}

/// True: a suspect has its turn, or waits for the others to come back first.
bool RouteRelay::fill_alone(std::vector<Loaded>& batch, std::size_t others) {
  const bool wanted = std::exchange(wants_process_, false);
  const bool goes = next_suspect(batch, others);
  // Other routes, which it has held back, have their turn.
  if (wanted && !wants_process_) shared_.progress = true;
  return goes;
}

/// The next suspect that may go now. `wants_process_` is false before, and true when one waits for the
/// process.
bool RouteRelay::next_suspect(std::vector<Loaded>& batch, std::size_t others) {
  Lead& lead = *lead_;
  for (std::size_t tries = lead.isolation.waiting(); tries > 0; --tries) {
    const std::optional<std::int64_t> row = lead.isolation.next();
    if (!row) return false;
    Entry& entry = lead.ledger.at(*row);
    const bool dangerous = entry.crashed || entry.marked;
    if ((dangerous && shared_.now < shared_.lead->quiet_until) || lead.topics.holds(entry.topic) ||
        !admitted(entry.bytes, entry.priority)) {
      lead.isolation.postpone(*row);
      continue;
    }
    // A process does not tell by which route it died. What is known has to be recorded first.
    const bool sole = dangerous || shared_.routes == 1;
    const bool others_fly = !lead.flights.empty() || (sole && others > 0);
    if (others_fly || (sole && !shared_.lead->outcomes.empty())) {
      wants_process_ = sole;
      shared_.lead->settle_now = shared_.lead->settle_now || !others_fly;
      return true;
    }
    std::optional<Loaded> message = read(*row);
    if (!message) {
      vanish(*row);
      continue;
    }
    // Marked before admit looks at it, so that it is not queued once more.
    lead.alone = true;
    lead.alone = admit(std::move(*message), batch);
    lead.sole = lead.alone && sole;
    if (lead.alone) return true;
  }
  return false;
}

/// Sends one message of a held topic whose time has come.
bool RouteRelay::try_topic(std::vector<Loaded>& batch) {
  Lead& lead = *lead_;
  const std::optional<Topics::Try> due = lead.topics.due(shared_.now);
  if (!due) return false;
  std::optional<Loaded> message = read(due->row);
  if (message && !admitted(message->bytes, message->message.priority)) return false;
  const bool free = message && message->message.topic == due->topic && message->message.damage.empty() &&
                    !message->message.suspect && !shared_.lead->dead_keys.blocks(message->message.key) &&
                    lead.ledger.count(due->row) == 0;
  shared_.progress = true;
  Supply& supply = lead.tiers.of(free ? message->message.priority : Priority::normal).supply;
  if (!free || (!message->message.key.empty() && !supply.lanes().occupy(message->message.key, due->row))) {
    // The message to try with is gone or must go alone: the next one of the topic shows how things are.
    release_topic(due->topic);
    return false;
  }
  lead.topics.trying(due->topic);
  supply.taken_elsewhere(message->message);
  Entry& entry = lead.ledger[due->row];
  entry.trial = true;
  return admit(std::move(*message), batch);
}

/// Adds the next message of a priority, first of those to be sent again, or deals with it where it is not to
/// be sent. False: it does not fit, or may not go now.
bool RouteRelay::add_from(Tier& tier, std::vector<Loaded>& batch, std::size_t& bytes) {
  const Loaded* front = tier.again.empty() ? tier.supply.front() : nullptr;
  const std::int64_t row = front == nullptr ? *tier.again.begin() : 0;
  const std::size_t known = front == nullptr ? lead_->ledger.at(row).bytes : front->bytes;
  if (!fits(known, bytes, batch.empty()) || !admitted(known, tier.priority)) return false;
  std::optional<Loaded> message = front == nullptr ? read(row) : tier.supply.take();
  if (!message) {
    vanish(row);
    return true;
  }
  const std::size_t weight = message->bytes;
  lead_->tiers.took(tier);
  if (admit(std::move(*message), batch)) bytes += weight;
  return true;
}

bool RouteRelay::fits(std::size_t bytes, std::size_t batch_bytes, bool first) const noexcept {
  if (first && lead_->flights.empty()) return true;
  return lead_->flight_bytes + batch_bytes + bytes <= options_.window_bytes;
}

/// Takes a message up: into the batch (true), or where else it belongs.
bool RouteRelay::admit(Loaded message, std::vector<Loaded>& batch) {
  Lead& lead = *lead_;
  const StoredMessage& stored = message.message;
  const std::int64_t row = stored.id.row;
  Entry& entry = lead.ledger[row];
  take_up(entry, message);
  Tier& tier = lead.tiers.of(entry.priority);
  tier.again.erase(row);
  if (entry.attempts != stored.attempts) {
    entry.attempts = stored.attempts;
    entry.aged = stored.aged;
    entry.up_mark = route_.up_total(shared_.now);
  }
  if (!stored.damage.empty()) {
    end_dead(entry, DeadReason::damaged, entry.attempts, stored.damage);
  } else if (stored.due && *stored.due > shared_.now) {
    entry.place = Place::backoff;
    lead.isolation.leave_queue(row);
    lead.backoff.emplace(*stored.due, row);
    if (!entry.key.empty()) tier.supply.lanes().unload(entry.key);
  } else if (shared_.lead->dead_keys.blocks(entry.key) && !entry.trial) {
    let_go(row);
  } else if (expired(message, shared_.now)) {
    end_expired(entry);
  } else if (lead.topics.holds(entry.topic) && !entry.trial) {
    hold_back(row);
  } else if (!lead.alone && (entry.marked || entry.crashed || lead.isolation.suspects(row))) {
    entry.place = Place::alone;
    lead.isolation.suspect(row, deliveries_);
  } else {
    entry.place = Place::again;
    if (plan_) plan_->take(message.bytes, shared_.now, wall_);
    batch.push_back(std::move(message));
    return true;
  }
  shared_.progress = true;
  return false;
}

/// What is known of a message from reading it.
void RouteRelay::take_up(Entry& entry, const Loaded& message) const {
  const StoredMessage& stored = message.message;
  // It stays in the tier that has it, whatever somebody writes into the row.
  if (entry.id.row == 0) entry.priority = stored.priority;
  entry.id = stored.id;
  entry.topic = stored.topic;
  entry.key = stored.key;
  entry.bytes = message.bytes;
  entry.retry = stored.retry;
  entry.marked = stored.suspect;
  entry.crashed = shared_.lead->crash_suspects.count(stored.id.row) != 0;
}

/// A transaction that is not over drops these rows: whether they are still there has to be looked at later.
void RouteRelay::withhold(std::vector<Loaded>& batch, const std::vector<std::int64_t>& rows) {
  Lead& lead = *lead_;
  const auto left_out = [&rows](const Loaded& one) {
    return std::binary_search(rows.begin(), rows.end(), one.message.id.row);
  };
  for (const Loaded& one : batch) {
    if (!left_out(one)) continue;
    const std::int64_t row = one.message.id.row;
    Entry& entry = lead.ledger.at(row);
    entry.place = Place::backoff;
    lead.isolation.leave_queue(row);
    lead.backoff.emplace(shared_.now + kWithheld, row);
    if (!entry.key.empty()) lead.tiers.of(entry.priority).supply.lanes().unload(entry.key);
    if (std::exchange(entry.trial, false)) release_topic(entry.topic);
  }
  batch.erase(std::remove_if(batch.begin(), batch.end(), left_out), batch.end());
  if (batch.empty()) lead.alone = lead.sole = wants_process_ = false;
}

void RouteRelay::add_flights(std::vector<std::int64_t>& rows) const {
  if (!lead_) return;
  for (const auto& [claim, flight] : lead_->flights) rows.push_back(flight.row);
}

void RouteRelay::launch(std::vector<Loaded> batch, const std::vector<std::int64_t>& left_out) {
  Lead& lead = *lead_;
  if (!left_out.empty()) withhold(batch, left_out);
  if (batch.empty()) return;
  if (limits_.any()) spend(batch);
  lead.window.handed_over();
  std::vector<Delivery> deliveries;
  deliveries.reserve(batch.size());
  for (Loaded& one : batch) {
    const std::int64_t row = one.message.id.row;
    lead.ledger.at(row).place = Place::in_flight;
    lead.flights.emplace(++shared_.claims, Flight{row, one.bytes, shared_.now, route_.session(), lead.alone});
    lead.flight_bytes += one.bytes;
    deliveries.push_back(delivery_of(std::move(one), shared_.claims, shared_.now));
  }
  const std::uint64_t first = shared_.claims + 1 - deliveries.size();
  try {
    sink_.send(std::move(deliveries));
  } catch (const std::exception& error) {
    for (std::uint64_t claim = first; claim <= shared_.claims; ++claim) {
      Receipt receipt = down(error.what());
      receipt.claim = claim;
      receipt.exposed = true;
      on_receipt(receipt);
    }
  }
}

std::optional<Loaded> RouteRelay::read(std::int64_t row) {
  ClaimQuery query;
  query.row = row;
  query.max_count = 1;
  std::vector<StoredMessage> found = shared_.storage.claim(query).messages;
  if (found.empty()) return std::nullopt;
  const std::size_t bytes = weight(found.front());
  return Loaded{std::move(found.front()), shared_.now, bytes};
}

/// Somebody else deleted a message that was taken up.
void RouteRelay::vanish(std::int64_t row) {
  Lead& lead = *lead_;
  lead.isolation.acquit(row);
  shared_.lead->crash_suspects.erase(row);
  const auto found = lead.ledger.find(row);
  if (found == lead.ledger.end()) return;
  Tier& tier = lead.tiers.of(found->second.priority);
  tier.again.erase(row);
  if (!found->second.key.empty()) tier.supply.lanes().free(found->second.key, row);
  if (found->second.trial) release_topic(found->second.topic);
  lead.ledger.erase(found);
  shared_.progress = true;
}

/// Before a batch is chosen: what the limits of the route allow.
void RouteRelay::plan() {
  if (!limits_.any()) return;
  wall_ = shared_.clock.wall();
  plan_ = limits_;
  limited_until_.reset();
  held_by_ = HeldBy::nothing;
}

bool RouteRelay::admitted(std::size_t bytes, Priority priority) {
  if (!plan_) return true;
  const bool urgent = priority == Priority::urgent;
  const HeldBy limit = plan_->held_by(bytes, urgent, shared_.now, wall_);
  if (limit == HeldBy::nothing) return true;
  // What holds for longer is what is told.
  if (held_by_ == HeldBy::nothing || held_by_ == HeldBy::rate) held_by_ = limit;
  const std::optional<BootTime> next = plan_->next(bytes, urgent, shared_.now, wall_);
  if (next && (!limited_until_ || *next < *limited_until_)) limited_until_ = next;
  return false;
}

void RouteRelay::spend(const std::vector<Loaded>& batch) {
  for (const Loaded& one : batch) limits_.take(one.bytes, shared_.now, wall_);
  note_due_ = limits_.counts_bytes();
}

}  // namespace satchel::relay
