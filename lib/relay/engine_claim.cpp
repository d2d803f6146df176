// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <satchel/error.hpp>

#include <algorithm>

namespace satchel::relay {

namespace {

/// After a lost claim: time for the other relay to settle down.
constexpr std::chrono::milliseconds kStandAside{250};

/// A process has to live this long before a message is sent that may end it. One that dies sooner, for
/// whatever reason, does not die of that message.
constexpr std::chrono::seconds kQuiet{1};

}  // namespace

/// Becomes the relay of the storage when nobody else is.
bool Relay::Engine::lead() {
  if (lead_) return true;
  if (draining_ || (acquire_at_ && now_ < *acquire_at_)) return false;
  acquire_at_.reset();
  if (!recovery_) recovery_ = ports_.storage.acquire();
  if (!recovery_) {
    trouble_.passed();
    return false;
  }
  lead_ = std::make_unique<Lead>(options_, ports_.storage);
  lead_->quiet_until = now_ + kQuiet;
  progress_ = true;
  try {
    lead_->rescans = ports_.storage.rescans();
    examine_suspects(*recovery_);
  } catch (...) {
    // Without having looked at the suspects and asked for the sink it must not go on.
    lead_.reset();
    throw;
  }
  recovery_.reset();
  route_.want(now_);
  ports_.observer.leading(true);
  return true;
}

/// Messages that were in flight when the last relay's process died. None of them is guilty yet: each is sent
/// alone from now on. The death counts against one that was sent alone for that reason, in a process that had
/// lived without it.
void Relay::Engine::examine_suspects(const Recovery& recovery) {
  Lead& lead = *lead_;
  for (const std::int64_t row : recovery.suspects) {
    std::optional<Loaded> found = read(row);
    if (!found) continue;
    StoredMessage& message = found->message;
    if (!message.damage.empty()) continue;  // comes up again as such
    lead.crash_suspects.insert(row);
    // Behind an older one of its key: it comes under suspicion when it is taken up.
    if (!message.key.empty() && !lead.supply.lanes().occupy(message.key, row)) continue;
    Entry& entry = lead.ledger[row];
    entry = Entry{message.id,   message.topic,    message.key, found->bytes,
                  Place::alone, message.attempts, message.aged};
    entry.up_mark = route_.up_total(now_);
    entry.marked = message.suspect;
    entry.crashed = true;
    lead.isolation.suspect(row, deliveries_);
    if (row != recovery.alone) continue;
    // The note first: a process that ends right here must not be counted against the message twice.
    InFlight note;
    note.rows = recovery.suspects;
    ports_.storage.before_send(note);
    const std::string error = "the process ended while this message alone was in flight";
    const int attempts = message.attempts + 1;
    entry.marked = true;
    if (attempts >= options_.max_attempts) {
      end_dead(entry, DeadReason::crashed, attempts, error);
    } else {
      end_failed(entry, attempts, error, pause_after(options_.retry_backoff, attempts, {}, jitter_));
    }
  }
}

/// Suspects that wait for their turn stay noted, so that another death does not make them forgotten: two
/// messages that end the process would take turns for ever.
InFlight Relay::Engine::suspects_to_note() const {
  InFlight note;
  note.rows.assign(lead_->crash_suspects.begin(), lead_->crash_suspects.end());
  return note;
}

/// Another relay has the storage: everything in memory is void, the sink is cut off.
void Relay::Engine::lose_claim(const std::string& problem) noexcept {
  lead_.reset();
  recovery_.reset();
  route_.leave(now_);
  acquire_at_ = now_ + kStandAside;
  progress_ = true;
  guarded([this, &problem] {
    sink_problem_ = "the claim was lost: " + problem;
    trouble_.passed();
    ports_.observer.leading(false);
    if (sink_started_) ports_.sink.reset();
  });
}

/// Drops what is in memory and begins anew from the storage. What is in flight is sent again.
void Relay::Engine::start_over() noexcept {
  const bool led = lead_ != nullptr;
  lead_.reset();
  recovery_.reset();
  route_.leave(now_);
  acquire_at_ = now_ + kStandAside;
  progress_ = true;
  ports_.storage.release();
  if (led) ports_.observer.leading(false);
  try {
    if (sink_started_) ports_.sink.reset();
  } catch (...) {  // NOLINT(bugprone-empty-catch): the claims are void, whatever the sink thinks
  }
}

}  // namespace satchel::relay
