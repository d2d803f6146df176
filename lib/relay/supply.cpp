// SPDX-License-Identifier: MIT
#include "relay/supply.hpp"

#include "relay/policy.hpp"

#include <algorithm>
#include <utility>

namespace satchel::relay {

Supply::Supply(const Options& options, Storage& storage, const DeadKeys& dead_keys, Scope scope)
    : batch_size_{options.batch_size},
      most_bytes_{options.window_bytes},
      scope_{std::move(scope)},
      storage_{storage},
      dead_keys_{dead_keys},
      at_end_{scope_.priority != Priority::normal},
      most_lanes_{key_limit(options)},
      lanes_{most_lanes_, options.batch_size, options.window_bytes} {}

bool Supply::refill(const Ledger& ledger, std::size_t wanted, bool may_advance, BootTime now) {
  int reads = 0;
  // Lanes first, always some of them: a stream of messages without a key must not starve them.
  while (reads < kReadsPerRound / 2 && lanes_.hungry() && lanes_.loaded_bytes() < most_bytes_) {
    read_lane(ledger, now);
    ++reads;
  }
  while (reads < kReadsPerRound && may_advance && !single_.empty() && room()) {
    read_row(ledger, now);
    ++reads;
  }
  while (reads < kReadsPerRound && may_advance && !ready(wanted) && may_read()) {
    read_on(ledger, now);
    ++reads;
  }
  return reads > 0;
}

void Supply::look_again() noexcept {
  if (!look_again_ || !exhausted() || lanes_.size() != 0 || fruitless_ > kMostFruitless) return;
  look_again_ = false;
  rewind(0);
}

const Loaded* Supply::front() const {
  if (front_is_keyed()) return lanes_.front();
  return ahead_.empty() ? nullptr : &ahead_.begin()->second;
}

Loaded Supply::take() {
  if (front_is_keyed()) return lanes_.take_front();
  Loaded message = std::move(ahead_.begin()->second);
  ahead_.erase(ahead_.begin());
  ahead_bytes_ -= message.bytes;
  return message;
}

void Supply::rewind(std::int64_t row) noexcept {
  cursor_ = std::min(cursor_, std::max<std::int64_t>(row, 1) - 1);
  at_end_ = false;
}

void Supply::rescan() noexcept {
  fruitless_ = 0;
  rewind(1);
}

void Supply::appeared(std::int64_t row, const std::string& key, bool sending) {
  if (row > cursor_) {
    at_end_ = false;
  } else if (!key.empty() && sending && (lanes_.known(key) || !lanes_.full())) {
    if (!dead_keys_.blocks(key)) lanes_.read_from(key, row);
  } else if (key.empty() && sending && single_.size() < batch_size_) {
    single_.insert(row);
  } else {
    rewind(row);
  }
}

void Supply::unblocked(const std::string& key) {
  // Otherwise the cursor comes to it.
  if (!lanes_.full()) lanes_.read_from(key, 1);
}

void Supply::forget_loaded() {
  if (!ahead_.empty()) rewind(ahead_.begin()->first);
  if (!single_.empty()) rewind(*single_.begin());
  ahead_.clear();
  ahead_bytes_ = 0;
  single_.clear();
  lanes_.unload_all();
}

void Supply::taken_elsewhere(const StoredMessage& message) {
  const auto found = ahead_.find(message.id.row);
  if (found != ahead_.end()) {
    ahead_bytes_ -= found->second.bytes;
    ahead_.erase(found);
  }
  if (lanes_.loaded(message.key, message.id.row)) lanes_.unload(message.key);
}

bool Supply::exhausted() const {
  return at_end_ && ahead_.empty() && single_.empty() && lanes_.loaded_count() == 0 && !lanes_.hungry();
}

bool Supply::front_is_keyed() const {
  const Loaded* keyed = lanes_.front();
  if (keyed == nullptr) return false;
  return ahead_.empty() || keyed->message.id.row < ahead_.begin()->first;
}

bool Supply::room() const noexcept { return ahead_.size() < batch_size_ && loaded_bytes() < most_bytes_; }

bool Supply::may_read() const noexcept {
  if (at_end_ || !room()) return false;
  // Some lanes have to go first, or the same rows would be read for every single one that goes.
  return !keys_full_ || lanes_.size() <= most_lanes_ - most_lanes_ / 10;
}

ClaimQuery Supply::query() const {
  ClaimQuery query;
  query.priority = scope_.priority;
  query.accepts = scope_.accepts;
  query.max_rows = kMostRows;
  query.max_count = batch_size_;
  query.max_bytes = most_bytes_;
  return query;
}

void Supply::read_on(const Ledger& ledger, BootTime now) {
  ClaimQuery next = query();
  next.after = cursor_;
  next.max_rows = std::max(kMostRows, batch_size_);
  Claimed found = storage_.claim(next);
  keys_full_ = false;
  if (!found.messages.empty()) look_again_ = true;
  bool fruitless = true;
  for (StoredMessage& message : found.messages) {
    const std::int64_t row = message.id.row;
    const Found what = take_in(std::move(message), ledger, now);
    if (what == Found::no_room) {
      keys_full_ = true;
      return;
    }
    fruitless = fruitless && what == Found::not_ours;
    cursor_ = row;
  }
  if (!found.last) {
    at_end_ = true;
  } else {
    cursor_ = std::max(cursor_, *found.last);
    if (fruitless) ++fruitless_;
  }
}

Supply::Found Supply::take_in(StoredMessage message, const Ledger& ledger, BootTime now) {
  const std::int64_t row = message.id.row;
  // A damaged index may show a row under a priority that it does not have: another supply reads it, too.
  if (message.priority != scope_.priority) return Found::not_ours;
  if (ledger.count(row) != 0 || ahead_.count(row) != 0 || lanes_.loaded(message.key, row)) return Found::ours;
  // A damaged row is nobody's successor: it becomes a dead letter at once.
  if (!message.damage.empty()) message.key.clear();
  if (message.key.empty()) {
    load(std::move(message), now);
    return Found::ours;
  }
  if (dead_keys_.blocks(message.key)) return Found::not_ours;
  if (lanes_.full() && !lanes_.known(message.key)) return Found::no_room;
  const std::size_t bytes = weight(message);
  lanes_.offer(Loaded{std::move(message), now, bytes});
  return Found::ours;
}

void Supply::load(StoredMessage message, BootTime now) {
  const std::int64_t row = message.id.row;
  const std::size_t bytes = weight(message);
  ahead_.emplace(row, Loaded{std::move(message), now, bytes});
  ahead_bytes_ += bytes;
}

void Supply::read_lane(const Ledger& ledger, BootTime now) {
  const Lanes::Hungry hungry = *lanes_.hungry();
  if (dead_keys_.blocks(hungry.key)) {
    lanes_.drop(hungry.key);
    return;
  }
  ClaimQuery next = query();
  next.after = hungry.from - 1;
  next.key = hungry.key;
  next.max_count =
      std::clamp<std::size_t>(batch_size_ / lanes_.size(), 2, std::min(batch_size_, kMostPerRead) + 1);
  next.max_bytes = most_bytes_ / 4;
  Claimed claimed = storage_.claim(next);
  std::vector<Loaded> found;
  for (StoredMessage& message : claimed.messages) {
    const std::int64_t row = message.id.row;
    if (message.priority != scope_.priority || ledger.count(row) != 0 || ahead_.count(row) != 0) continue;
    const std::size_t bytes = weight(message);
    message.key = hungry.key;
    found.push_back(Loaded{std::move(message), now, bytes});
  }
  lanes_.feed(hungry.key, std::move(found), claimed.last);
}

void Supply::read_row(const Ledger& ledger, BootTime now) {
  const std::int64_t row = *single_.begin();
  ClaimQuery next;
  next.row = row;
  next.max_count = 1;
  Claimed found = storage_.claim(next);
  single_.erase(row);
  if (!found.messages.empty() && row <= cursor_) take_in(std::move(found.messages.front()), ledger, now);
}

}  // namespace satchel::relay
