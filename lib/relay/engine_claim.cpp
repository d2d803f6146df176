// SPDX-License-Identifier: MIT
#include "relay/engine.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <utility>

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
  if (shared_.lead) return true;
  if (shared_.draining || (acquire_at_ && shared_.now < *acquire_at_)) return false;
  acquire_at_.reset();
  if (!recovery_) recovery_ = shared_.storage.acquire();
  if (!recovery_) {
    trouble_.passed();
    return false;
  }
  shared_.lead = std::make_unique<Shared::Lead>();
  shared_.lead->quiet_until = shared_.now + kQuiet;
  shared_.progress = true;
  try {
    take_up(*recovery_);
  } catch (...) {
    // Without having looked at the suspects and asked for the sinks it must not go on.
    forget_everything();
    throw;
  }
  recovery_.reset();
  shared_.observer.leading(true);
  return true;
}

void Relay::Engine::take_up(const Recovery& recovery) {
  shared_.lead->rescans = shared_.storage.rescans();
  look_at_dead_keys();
  for (const auto& route : routes_) route->begin(recovery.notes);
  examine_suspects(recovery);
}

void Relay::Engine::examine_suspects(const Recovery& recovery) {
  for (const std::int64_t row : recovery.suspects) {
    ClaimQuery query;
    query.row = row;
    query.max_count = 1;
    std::vector<StoredMessage> found = shared_.storage.claim(query).messages;
    if (found.empty() || !found.front().damage.empty()) continue;  // comes up again as such
    const std::optional<std::size_t> number = routing_.of(found.front().topic);
    if (!number) continue;
    RouteRelay& route = *routes_[*number];
    shared_.lead->crash_suspects.insert(row);
    const std::size_t bytes = weight(found.front());
    if (!route.take_suspect(Loaded{std::move(found.front()), shared_.now, bytes})) continue;
    if (row != recovery.alone) continue;
    // The note first: a process that ends right here must not be counted against the message twice.
    InFlight note;
    note.rows = recovery.suspects;
    shared_.storage.before_send(note);
    route.count_crash(row);
  }
}

void Relay::Engine::look_at_dead_keys() {
  if (shared_.options.dead_key != DeadKey::block) return;
  const std::vector<std::string> keys = shared_.storage.dead_keys(DeadKeys::kMost + 1);
  if (keys.size() > DeadKeys::kMost) {
    shared_.observer.notice("more than " + std::to_string(DeadKeys::kMost) +
                            " keys have a dead letter: the messages of the others are not held back");
  }
  const std::vector<std::string> freed = shared_.lead->dead_keys.load(keys);
  for (const auto& route : routes_) route->unblocked(freed);
}

/// Rows below the cursors may have become pending again, and keys may be free.
void Relay::Engine::follow_rescans() {
  const std::uint64_t rescans = shared_.storage.rescans();
  if (rescans == shared_.lead->rescans) return;
  for (const auto& route : routes_) route->rescan();
  look_at_dead_keys();
  // Last: what fails is done again.
  shared_.lead->rescans = rescans;
}

/// Another relay has the storage: everything in memory is void, the sinks are cut off.
void Relay::Engine::lose_claim(const std::string& problem) noexcept {
  forget_everything();
  recovery_.reset();
  acquire_at_ = shared_.now + kStandAside;
  shared_.progress = true;
  guarded([this, &problem] {
    for (const auto& route : routes_) route->say_problem("the claim was lost: " + problem);
    trouble_.passed();
    shared_.observer.leading(false);
    for (const auto& route : routes_) route->cut_off();
  });
}

/// Drops what is in memory and begins anew from the storage. What is in flight is sent again.
void Relay::Engine::start_over() noexcept {
  const bool led = shared_.lead != nullptr;
  forget_everything();
  acquire_at_ = shared_.now + kStandAside;
  shared_.progress = true;
  // What the acquisition told has not been taken up: the claim stays, and so does the note of the suspects.
  if (!recovery_) shared_.storage.release();
  if (led) shared_.observer.leading(false);
  for (const auto& route : routes_) {
    try {
      route->cut_off();
    } catch (...) {  // NOLINT(bugprone-empty-catch): the claims are void, whatever the sink thinks
    }
  }
}

void Relay::Engine::forget_everything() noexcept {
  for (const auto& route : routes_) route->abandon();
  shared_.lead.reset();
}

}  // namespace satchel::relay
