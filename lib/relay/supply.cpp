// SPDX-License-Identifier: MIT
#include "relay/supply.hpp"

#include "relay/policy.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
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
      lanes_{most_lanes_, options.batch_size, options.window_bytes, scope_.drain == Drain::oldest_first} {}

bool Supply::refill(const Ledger& ledger, std::size_t wanted, bool may_advance, BootTime now) {
  int reads = 0;
  if (mark_wanted_) set_mark();
  // Lanes first, always some of them: a stream of messages without a key must not starve them.
  while (reads < kReadsPerRound / 2 && lanes_.hungry() && lanes_.loaded_bytes() < most_bytes_) {
    read_lane(ledger, now);
    ++reads;
  }
  if (!may_advance) return reads > 0;
  while (reads < kReadsPerRound && !single_.empty() && room()) {
    read_row(ledger, now);
    ++reads;
  }
  // What is new goes before what waits, however much of that is ready.
  const bool one_cursor = scope_.drain == Drain::oldest_first;
  while (reads < kReadsPerRound && !(one_cursor && ready(wanted)) && may_read()) {
    read_on(ledger, now);
    ++reads;
  }
  while (reads < kReadsPerRound && !ready(wanted) && may_read_back()) {
    read_back(ledger, now);
    ++reads;
  }
  return reads > 0;
}

void Supply::look_again() noexcept {
  if (!look_again_ || !exhausted() || lanes_.size() != 0 || fruitless_ > kMostFruitless) return;
  look_again_ = false;
  rewind(0);
}

const Loaded* Supply::front() const { return pick().message; }

Loaded Supply::take() {
  const Pick next = pick();
  turn_ = !turn_;
  // `front` has shown a message. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
  return next.keyed ? lanes_.take_front() : unload(ahead_.find(next.message->message.id.row));
}

Supply::Pick Supply::pick() const {
  if (scope_.drain == Drain::oldest_first) return pick_oldest();
  const auto newer = ahead_.upper_bound(mark_);
  const bool backward = scope_.drain == Drain::newest_first;
  Pick fresh{newer == ahead_.end() ? nullptr : &newer->second};
  Pick waiting;
  if (newer != ahead_.begin()) waiting.message = &(backward ? std::prev(newer) : ahead_.begin())->second;
  if (const Loaded* keyed = lanes_.front()) {
    const auto row = keyed->message.id.row;
    Pick& rival = row > mark_ ? fresh : waiting;
    const bool lower = rival.message == nullptr || row < rival.message->message.id.row;
    // From the newest back a key, which begins with its oldest, would come last: they take turns.
    if (rival.message == nullptr || (backward && row <= mark_ ? turn_ : lower)) rival = {keyed, true};
  }
  if (fresh.message == nullptr || waiting.message == nullptr)
    return fresh.message == nullptr ? waiting : fresh;
  return backward || turn_ ? fresh : waiting;
}

Supply::Pick Supply::pick_oldest() const {
  const Loaded* keyed = lanes_.front();
  if (ahead_.empty()) return {keyed, keyed != nullptr};
  const Loaded& first = ahead_.begin()->second;
  if (keyed != nullptr && keyed->message.id.row < first.message.id.row) return {keyed, true};
  return {&first, false};
}

void Supply::rewind(std::int64_t row) noexcept {
  row = std::max<std::int64_t>(row, 1);
  if (scope_.drain != Drain::oldest_first && row <= mark_) {
    back_ = scope_.drain == Drain::newest_first ? mark_ + 1 : std::min(back_, row - 1);
    back_at_end_ = false;
    row = mark_ + 1;
  }
  cursor_ = std::min(cursor_, row - 1);
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
    const bool first = scope_.drain == Drain::oldest_first || lanes_.known(key);
    if (!dead_keys_.blocks(key)) lanes_.read_from(key, first ? row : 1);
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
  ahead_bytes_ = new_ahead_ = 0;
  single_.clear();
  lanes_.unload_all();
}

void Supply::taken_elsewhere(const StoredMessage& message) {
  const auto found = ahead_.find(message.id.row);
  if (found != ahead_.end()) unload(found);
  if (lanes_.loaded(message.key, message.id.row)) lanes_.unload(message.key);
}

bool Supply::exhausted() const {
  return at_end_ && back_at_end_ && ahead_.empty() && single_.empty() && lanes_.loaded_count() == 0 &&
         !lanes_.hungry();
}

bool Supply::room() const noexcept { return ahead_.size() < batch_size_ && loaded_bytes() < most_bytes_; }

bool Supply::may_read() const noexcept {
  const std::size_t ahead = scope_.drain == Drain::oldest_first ? ahead_.size() : new_ahead_;
  return !at_end_ && ahead < batch_size_ && loaded_bytes() < most_bytes_ && keys_have_room();
}

/// Half the room stays free for what is new.
bool Supply::may_read_back() const noexcept {
  return !back_at_end_ && ahead_.size() - new_ahead_ < batch_size_ && loaded_bytes() < most_bytes_ / 2 &&
         keys_have_room();
}

/// Some lanes have to go first, or the same rows would be read for every single one that goes.
bool Supply::keys_have_room() const noexcept {
  return !keys_full_ || lanes_.size() <= most_lanes_ - most_lanes_ / 10;
}

/// The newest row there is, of whatever route.
void Supply::set_mark() {
  ClaimQuery newest;
  newest.priority = scope_.priority;
  newest.before = std::numeric_limits<std::int64_t>::max();
  newest.max_count = newest.max_rows = 1;
  const Claimed found = storage_.claim(newest);
  mark_ = found.last ? *found.last : found.messages.empty() ? 0 : found.messages.front().id.row;
  mark_wanted_ = false;
  lanes_.pass_over_all(cursor_ + 1);
  cursor_ = mark_;
  at_end_ = false;
  if (scope_.drain == Drain::newest_first) back_ = mark_ + 1;
  back_at_end_ = mark_ == 0;
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
  if (!take_in_all(found, cursor_, ledger, now)) return;
  if (found.last) {
    cursor_ = std::max(cursor_, *found.last);
  } else {
    at_end_ = true;
  }
}

/// What waits, backward from the mark or up to it.
void Supply::read_back(const Ledger& ledger, BootTime now) {
  ClaimQuery next = query();
  const bool backward = scope_.drain == Drain::newest_first;
  if (backward) {
    next.before = back_;
  } else {
    next.after = back_;
  }
  Claimed found = storage_.claim(next);
  std::vector<StoredMessage>& rows = found.messages;
  // What is newer than the mark is the other cursor's.
  rows.erase(std::remove_if(rows.begin(), rows.end(),
                            [this](const StoredMessage& one) { return one.id.row > mark_; }),
             rows.end());
  if (!take_in_all(found, back_, ledger, now)) return;
  if (found.last) back_ = backward ? *found.last : std::min(*found.last, mark_);
  back_at_end_ = !found.last || (!backward && *found.last >= mark_);
}

/// False: a key finds no room; the cursor stands before it.
bool Supply::take_in_all(Claimed& found, std::int64_t& cursor, const Ledger& ledger, BootTime now) {
  keys_full_ = false;
  if (!found.messages.empty()) look_again_ = true;
  bool fruitless = true;
  for (StoredMessage& message : found.messages) {
    const std::int64_t row = message.id.row;
    const Found what = take_in(std::move(message), ledger, now);
    if (what == Found::no_room) {
      keys_full_ = true;
      return false;
    }
    fruitless = fruitless && what == Found::not_ours;
    cursor = row;
  }
  if (fruitless && found.last) ++fruitless_;
  return true;
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
  if (scope_.drain != Drain::oldest_first && !lanes_.known(message.key)) {
    // The first row of the key may be anywhere.
    lanes_.read_from(message.key, 1);
    return Found::ours;
  }
  const std::size_t bytes = weight(message);
  lanes_.offer(Loaded{std::move(message), now, bytes});
  return Found::ours;
}

void Supply::load(StoredMessage message, BootTime now) {
  const std::int64_t row = message.id.row;
  const std::size_t bytes = weight(message);
  ahead_.emplace(row, Loaded{std::move(message), now, bytes});
  ahead_bytes_ += bytes;
  if (row > mark_) ++new_ahead_;
}

Loaded Supply::unload(std::map<std::int64_t, Loaded>::iterator place) {
  Loaded message = std::move(place->second);
  if (place->first > mark_) --new_ahead_;
  ahead_.erase(place);
  ahead_bytes_ -= message.bytes;
  return message;
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
