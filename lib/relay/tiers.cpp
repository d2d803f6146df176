// SPDX-License-Identifier: MIT
#include "relay/tiers.hpp"

#include <algorithm>

namespace satchel::relay {

Tiers::Tiers(const Options& options, Storage& storage, const DeadKeys& dead_keys,
             const std::function<bool(std::string_view)>& accepts, Drain drain)
    : bulk_share_{options.bulk_share},
      storage_{storage},
      urgent_{options, storage, dead_keys, {Priority::urgent, accepts, drain}},
      normal_{options, storage, dead_keys, {Priority::normal, accepts, drain}},
      bulk_{options, storage, dead_keys, {Priority::bulk, accepts, drain}} {}

Tier& Tiers::of(Priority priority) noexcept {
  if (priority == Priority::urgent) return urgent_;
  return priority == Priority::bulk ? bulk_ : normal_;
}

Tier* Tiers::next() {
  if (urgent_.waits()) return &urgent_;
  // Some of what was read may have expired: the batch must not be filled up with others.
  if (advanced_ && urgent_.supply.has_more()) return nullptr;
  const bool normal = normal_.waits();
  if (!bulk_.waits()) return normal ? &normal_ : nullptr;
  const bool turn = bulk_share_ != 0 && since_bulk_ + 1 >= bulk_share_;
  if (!normal && !turn && advanced_ && normal_.supply.has_more()) return nullptr;
  return normal && !turn ? &normal_ : &bulk_;
}

void Tiers::took(const Tier& tier) {
  if (&tier == &bulk_) {
    since_bulk_ = 0;
  } else if (bulk_.waits()) {
    since_bulk_ = std::min(since_bulk_ + 1, bulk_share_);
  }
}

bool Tiers::refill(const Ledger& ledger, std::size_t room, std::size_t wanted, bool may_advance,
                   BootTime now) {
  if (ask_) {
    if (storage_.has_priorities()) {
      urgent_.supply.changed();
      bulk_.supply.changed();
    }
    ask_ = false;
  }
  advanced_ = may_advance;
  bool read = false;
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) {
    if (tier->again.size() < room) read = tier->supply.refill(ledger, wanted, may_advance, now) || read;
  }
  return read;
}

void Tiers::came_up() noexcept {
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) tier->supply.came_up();
}

void Tiers::changed() noexcept {
  ask_ = true;
  normal_.supply.changed();
}

void Tiers::look_again() noexcept {
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) tier->supply.look_again();
}

void Tiers::rewind(std::int64_t row) noexcept {
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) tier->supply.rewind(row);
}

void Tiers::rescan() noexcept {
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) tier->supply.rescan();
}

void Tiers::unblocked(const std::string& key) {
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) tier->supply.unblocked(key);
}

void Tiers::forget_loaded() {
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) tier->supply.forget_loaded();
}

void Tiers::release_topic(const std::string& topic) {
  for (Tier* tier : {&urgent_, &normal_, &bulk_}) {
    tier->supply.lanes().release(topic);
    tier->supply.changed();
  }
}

bool Tiers::exhausted() const {
  return !ask_ && urgent_.supply.exhausted() && normal_.supply.exhausted() && bulk_.supply.exhausted();
}

bool Tiers::none_again() const noexcept {
  return urgent_.again.empty() && normal_.again.empty() && bulk_.again.empty();
}

std::size_t Tiers::keys() const noexcept {
  return urgent_.supply.lanes().size() + normal_.supply.lanes().size() + bulk_.supply.lanes().size();
}

std::size_t Tiers::loaded_count() const noexcept {
  return urgent_.supply.loaded_count() + normal_.supply.loaded_count() + bulk_.supply.loaded_count();
}

}  // namespace satchel::relay
