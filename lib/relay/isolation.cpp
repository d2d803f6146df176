// SPDX-License-Identifier: MIT
#include "relay/isolation.hpp"

#include <algorithm>
#include <utility>

namespace satchel::relay {

void Isolation::suspect(std::int64_t row, std::uint64_t deliveries) {
  suspects_.try_emplace(row, Suspect{deliveries, 0});
  if (!queued(row) && !(watched_ && watched_->row == row)) queue_.push_back(row);
}

bool Isolation::queued(std::int64_t row) const noexcept {
  return std::find(queue_.begin(), queue_.end(), row) != queue_.end();
}

std::optional<std::int64_t> Isolation::next() const {
  if (watched_ || queue_.empty()) return std::nullopt;
  return queue_.front();
}

void Isolation::postpone(std::int64_t row) {
  leave_queue(row);
  queue_.push_back(row);
}

void Isolation::leave_queue(std::int64_t row) {
  const auto place = std::find(queue_.begin(), queue_.end(), row);
  if (place != queue_.end()) queue_.erase(place);
}

void Isolation::acquit(std::int64_t row) {
  if (suspects_.erase(row) == 0) return;
  leave_queue(row);
  if (watched_ && watched_->row == row) watched_.reset();
}

void Isolation::broke(std::int64_t row, Span lived) {
  leave_queue(row);
  watched_ = Watch{row, std::max<Span>(lived * kMargin, kShortestWatch)};
}

std::optional<Isolation::Span> Isolation::watch() const {
  return watched_ ? std::optional{watched_->span} : std::nullopt;
}

Isolation::Verdict Isolation::link_at_fault() {
  const std::int64_t row = watched_->row;
  watched_.reset();
  Suspect& suspect = suspects_[row];
  const Verdict verdict{row, false, std::exchange(suspect.counted, 0)};
  queue_.push_back(row);
  return verdict;
}

Isolation::Verdict Isolation::link_is_sound(std::uint64_t deliveries, bool nothing_else) {
  const std::int64_t row = watched_->row;
  watched_.reset();
  Suspect& suspect = suspects_[row];
  const bool guilty = deliveries > suspect.deliveries || (nothing_else && queue_.empty());
  if (guilty) {
    ++suspect.counted;
  } else {
    queue_.push_back(row);
  }
  return {row, guilty, 0};
}

}  // namespace satchel::relay
