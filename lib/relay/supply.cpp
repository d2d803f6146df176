// SPDX-License-Identifier: MIT
#include "relay/supply.hpp"

#include "relay/policy.hpp"

#include <algorithm>
#include <utility>

namespace satchel::relay {

Supply::Supply(const Options& options, Storage& storage)
    : batch_size_{options.batch_size},
      most_bytes_{options.window_bytes},
      storage_{storage},
      most_lanes_{key_limit(options)},
      lanes_{most_lanes_, options.batch_size, options.window_bytes} {}

bool Supply::refill(const Ledger& ledger, std::size_t wanted, bool may_advance, BootTime now) {
  int reads = 0;
  // Lanes first, always some of them: a stream of messages without a key must not starve them.
  while (reads < kReadsPerRound / 2 && lanes_.hungry() && lanes_.loaded_bytes() < most_bytes_) {
    read_lane(ledger, now);
    ++reads;
  }
  while (reads < kReadsPerRound && may_advance && !ready(wanted) && may_read()) {
    read_on(ledger, now);
    ++reads;
  }
  return reads > 0;
}

void Supply::look_again() noexcept {
  if (!look_again_ || !exhausted() || lanes_.size() != 0) return;
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

void Supply::forget_loaded() {
  if (!ahead_.empty()) rewind(ahead_.begin()->first);
  ahead_.clear();
  ahead_bytes_ = 0;
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
  return at_end_ && ahead_.empty() && lanes_.loaded_count() == 0 && !lanes_.hungry();
}

bool Supply::front_is_keyed() const {
  const Loaded* keyed = lanes_.front();
  if (keyed == nullptr) return false;
  return ahead_.empty() || keyed->message.id.row < ahead_.begin()->first;
}

bool Supply::may_read() const noexcept {
  if (at_end_ || ahead_.size() >= batch_size_ || loaded_bytes() >= most_bytes_) return false;
  // Some lanes have to go first, or the same rows would be read for every single one that goes.
  return !keys_full_ || lanes_.size() <= most_lanes_ - most_lanes_ / 10;
}

void Supply::read_on(const Ledger& ledger, BootTime now) {
  ClaimQuery query;
  query.after = cursor_;
  query.max_count = batch_size_;
  query.max_bytes = most_bytes_;
  std::vector<StoredMessage> rows = storage_.claim(query).messages;
  keys_full_ = false;
  if (rows.empty()) {
    at_end_ = true;
  } else {
    look_again_ = true;
  }
  for (StoredMessage& message : rows) {
    const std::int64_t row = message.id.row;
    const bool taken_up = ledger.count(row) != 0 || ahead_.count(row) != 0 || lanes_.loaded(message.key, row);
    if (!taken_up) {
      const std::size_t bytes = weight(message);
      // A damaged row is nobody's successor: it becomes a dead letter at once.
      if (!message.damage.empty()) message.key.clear();
      if (message.key.empty()) {
        ahead_.emplace(row, Loaded{std::move(message), now, bytes});
        ahead_bytes_ += bytes;
      } else if (lanes_.full() && !lanes_.known(message.key)) {
        keys_full_ = true;
        return;
      } else {
        lanes_.offer(Loaded{std::move(message), now, bytes});
      }
    }
    cursor_ = row;
  }
}

void Supply::read_lane(const Ledger& ledger, BootTime now) {
  const Lanes::Hungry hungry = *lanes_.hungry();
  ClaimQuery query;
  query.after = hungry.from - 1;
  query.key = hungry.key;
  query.max_count =
      std::clamp<std::size_t>(batch_size_ / lanes_.size(), 2, std::min(batch_size_, kMostPerRead) + 1);
  query.max_bytes = most_bytes_ / 4;
  std::vector<StoredMessage> rows = storage_.claim(query).messages;
  std::optional<std::int64_t> last;
  std::vector<Loaded> found;
  for (StoredMessage& message : rows) {
    const std::int64_t row = message.id.row;
    last = row;
    if (ledger.count(row) != 0 || ahead_.count(row) != 0) continue;
    const std::size_t bytes = weight(message);
    message.key = hungry.key;
    found.push_back(Loaded{std::move(message), now, bytes});
  }
  lanes_.feed(hungry.key, std::move(found), last);
}

}  // namespace satchel::relay
