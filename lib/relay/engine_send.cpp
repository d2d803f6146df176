// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <exception>

namespace satchel::relay {

namespace {

constexpr int kBatchesPerRound = 8;

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

bool Relay::Engine::hand_over() {
  if (!route_.up() || draining_) return false;
  bool any = false;
  for (int batches = 0; batches < kBatchesPerRound; ++batches) {
    if (lead_->outcomes.size() >= options_.max_unsettled) break;
    std::vector<Loaded> batch = fill();
    if (batch.empty()) break;
    launch(std::move(batch));
    any = true;
  }
  return any;
}

/// Chooses what goes next: suspects one by one, tries of held topics, what came back, then the supply.
std::vector<Loaded> Relay::Engine::fill() {
  Lead& lead = *lead_;
  std::vector<Loaded> batch;
  try {
    if (lead.alone || fill_alone(batch)) return batch;
    const std::size_t room = lead.window.room(lead.flights.size(), ports_.sink.capacity());
    if (room == 0) return batch;
    try_topic(batch);
    std::size_t bytes = 0;
    const auto open = [&] { return batch.size() < room && lead.outcomes.size() < options_.max_unsettled; };
    while (open() && !lead.again.empty() && add_again(batch, bytes)) {
    }
    if (!open() || !lead.again.empty()) return batch;
    const bool may_advance = lead.backoff.size() < retrying_limit(options_);
    const std::size_t ahead = std::max(room, options_.batch_size / 2);
    if (may_advance && lead.ledger.empty() && lead.topics.empty()) lead.supply.look_again();
    const bool read = lead.supply.refill(lead.ledger, ahead, may_advance, now_);
    progress_ = progress_ || (read && !lead.supply.exhausted());
    while (open() && add_next(batch, bytes)) {
    }
  } catch (...) {
    put_back(batch);
    throw;
  }
  return batch;
}

/// A failure of the storage came between: what was chosen is to be read again.
void Relay::Engine::put_back(const std::vector<Loaded>& batch) {
  Lead& lead = *lead_;
  const bool alone = std::exchange(lead.alone, false);
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
bool Relay::Engine::fill_alone(std::vector<Loaded>& batch) {
  Lead& lead = *lead_;
  for (std::size_t tries = lead.isolation.waiting(); tries > 0; --tries) {
    const std::optional<std::int64_t> row = lead.isolation.next();
    if (!row) return false;
    Entry& entry = lead.ledger.at(*row);
    const bool too_early = (entry.crashed || entry.marked) && now_ < lead.quiet_until;
    if (too_early || lead.topics.holds(entry.topic)) {
      lead.isolation.postpone(*row);
      continue;
    }
    // What is known has to be recorded first: this one may end the process.
    if (!lead.flights.empty() || !lead.outcomes.empty()) return true;
    std::optional<Loaded> message = read(*row);
    if (!message) {
      vanish(*row);
      continue;
    }
    // Marked before admit looks at it, so that it is not queued once more.
    lead.alone = true;
    lead.alone = admit(std::move(*message), batch);
    if (lead.alone) return true;
  }
  return false;
}

/// Sends one message of a held topic whose time has come.
bool Relay::Engine::try_topic(std::vector<Loaded>& batch) {
  Lead& lead = *lead_;
  const std::optional<Topics::Try> due = lead.topics.due(now_);
  if (!due) return false;
  std::optional<Loaded> message = read(due->row);
  const bool free = message && message->message.topic == due->topic && message->message.damage.empty() &&
                    !message->message.suspect && lead.ledger.count(due->row) == 0;
  progress_ = true;
  if (!free ||
      (!message->message.key.empty() && !lead.supply.lanes().occupy(message->message.key, due->row))) {
    // The message to try with is gone or must go alone: the next one of the topic shows how things are.
    release_topic(due->topic);
    return false;
  }
  lead.topics.trying(due->topic);
  lead.supply.taken_elsewhere(message->message);
  Entry& entry = lead.ledger[due->row];
  entry.trial = true;
  return admit(std::move(*message), batch);
}

/// Adds the first message of those to be sent again, or deals with it where it is not to be sent. False: it
/// does not fit.
bool Relay::Engine::add_again(std::vector<Loaded>& batch, std::size_t& bytes) {
  Lead& lead = *lead_;
  const std::int64_t row = *lead.again.begin();
  if (!fits(lead.ledger.at(row).bytes, bytes, batch.empty())) return false;
  std::optional<Loaded> message = read(row);
  if (!message) {
    vanish(row);
    return true;
  }
  const std::size_t weight = message->bytes;
  if (admit(std::move(*message), batch)) bytes += weight;
  return true;
}

/// Adds the next message of the supply, or deals with it where it is not to be sent. False: it does not fit,
/// or there is none.
bool Relay::Engine::add_next(std::vector<Loaded>& batch, std::size_t& bytes) {
  const Loaded* front = lead_->supply.front();
  if (front == nullptr || !fits(front->bytes, bytes, batch.empty())) return false;
  const std::size_t weight = front->bytes;
  if (admit(lead_->supply.take(), batch)) bytes += weight;
  return true;
}

bool Relay::Engine::fits(std::size_t bytes, std::size_t batch_bytes, bool first) const noexcept {
  if (first && lead_->flights.empty()) return true;
  return lead_->flight_bytes + batch_bytes + bytes <= options_.window_bytes;
}

/// Takes a message up: into the batch (true), or where else it belongs.
bool Relay::Engine::admit(Loaded message, std::vector<Loaded>& batch) {
  Lead& lead = *lead_;
  const StoredMessage& stored = message.message;
  const std::int64_t row = stored.id.row;
  Entry& entry = lead.ledger[row];
  lead.again.erase(row);
  entry.id = stored.id;
  entry.topic = stored.topic;
  entry.key = stored.key;
  entry.bytes = message.bytes;
  if (entry.attempts != stored.attempts) {
    entry.attempts = stored.attempts;
    entry.aged = stored.aged;
    entry.up_mark = route_.up_total(now_);
  }
  entry.marked = stored.suspect;
  entry.crashed = lead.crash_suspects.count(row) != 0;
  if (!stored.damage.empty()) {
    end_dead(entry, DeadReason::damaged, entry.attempts, stored.damage);
  } else if (stored.due && *stored.due > now_) {
    entry.place = Place::backoff;
    lead.isolation.leave_queue(row);
    lead.backoff.emplace(*stored.due, row);
    if (!entry.key.empty()) lead.supply.lanes().unload(entry.key);
  } else if (expired(message, now_)) {
    end_expired(entry);
  } else if (lead.topics.holds(entry.topic) && !entry.trial) {
    hold_back(row);
  } else if (!lead.alone && (entry.marked || entry.crashed || lead.isolation.suspects(row))) {
    entry.place = Place::alone;
    lead.isolation.suspect(row, deliveries_);
  } else {
    entry.place = Place::again;
    batch.push_back(std::move(message));
    return true;
  }
  progress_ = true;
  return false;
}

/// Hands a batch over. Until the storage has noted it, a failure leaves its messages to be read again.
void Relay::Engine::launch(std::vector<Loaded> batch) {
  Lead& lead = *lead_;
  const bool alone = lead.alone;
  InFlight all = suspects_to_note();
  for (const auto& [claim, flight] : lead.flights) all.rows.push_back(flight.row);
  for (const Loaded& one : batch) {
    all.rows.push_back(one.message.id.row);
    all.highest = std::max(all.highest, one.message.id.row);
  }
  if (alone && now_ >= lead.quiet_until) all.alone = batch.front().message.id.row;
  std::sort(all.rows.begin(), all.rows.end());
  all.rows.erase(std::unique(all.rows.begin(), all.rows.end()), all.rows.end());
  try {
    ports_.storage.before_send(all);
  } catch (...) {
    put_back(batch);
    throw;
  }
  lead.note_is_stale = false;
  std::vector<Delivery> deliveries;
  deliveries.reserve(batch.size());
  for (Loaded& one : batch) {
    const std::int64_t row = one.message.id.row;
    lead.ledger.at(row).place = Place::in_flight;
    lead.flights.emplace(++claims_, Flight{row, one.bytes, now_, route_.session(), alone});
    lead.flight_bytes += one.bytes;
    deliveries.push_back(delivery_of(std::move(one), claims_, now_));
  }
  const std::uint64_t first = claims_ + 1 - deliveries.size();
  try {
    ports_.sink.send(std::move(deliveries));
  } catch (const std::exception& error) {
    for (std::uint64_t claim = first; claim <= claims_; ++claim) {
      Receipt receipt = down(error.what());
      receipt.claim = claim;
      receipt.exposed = true;
      on_receipt(receipt);
    }
  }
}

std::optional<Loaded> Relay::Engine::read(std::int64_t row) {
  ClaimQuery query;
  query.row = row;
  query.max_count = 1;
  std::vector<StoredMessage> found = ports_.storage.claim(query).messages;
  if (found.empty()) return std::nullopt;
  const std::size_t bytes = weight(found.front());
  return Loaded{std::move(found.front()), now_, bytes};
}

/// Somebody else deleted a message that was taken up.
void Relay::Engine::vanish(std::int64_t row) {
  Lead& lead = *lead_;
  lead.again.erase(row);
  lead.isolation.acquit(row);
  lead.crash_suspects.erase(row);
  const auto found = lead.ledger.find(row);
  if (found == lead.ledger.end()) return;
  if (!found->second.key.empty()) lead.supply.lanes().free(found->second.key, row);
  lead.ledger.erase(found);
  progress_ = true;
}

}  // namespace satchel::relay
