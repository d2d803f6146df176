// SPDX-License-Identifier: MIT
#include "relay/outcomes.hpp"

#include <algorithm>
#include <set>

namespace satchel::relay {

void Outcomes::add(Outcome outcome, BootTime now) {
  const bool delivered = outcome.kind == Outcome::Kind::delivered;
  waiting_.emplace_back(now, std::move(outcome));
  if (!delivered) ++others_;
}

std::vector<std::int64_t> Outcomes::kept() const {
  std::vector<std::int64_t> rows;
  for (const auto& [since, outcome] : waiting_) {
    const bool kept = outcome.kind == Outcome::Kind::delivered || outcome.kind == Outcome::Kind::died;
    if (kept) rows.push_back(outcome.id.row);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::int64_t> Outcomes::riders(std::size_t most) const {
  std::vector<std::int64_t> rows;
  if (offered_ != 0) return rows;
  for (const auto& [since, outcome] : waiting_) {
    if (rows.size() >= most) break;
    if (outcome.kind == Outcome::Kind::delivered) rows.push_back(outcome.id.row);
  }
  return rows;
}

std::vector<Outcome> Outcomes::rode(const std::vector<std::int64_t>& rows) {
  std::vector<Outcome> done;
  const std::set<std::int64_t> wanted{rows.begin(), rows.end()};
  const auto kept = std::remove_if(
      waiting_.begin() + static_cast<std::ptrdiff_t>(offered_), waiting_.end(), [&](auto& waiting) {
        Outcome& outcome = waiting.second;
        if (outcome.kind != Outcome::Kind::delivered || wanted.count(outcome.id.row) == 0) return false;
        done.push_back(std::move(outcome));
        return true;
      });
  waiting_.erase(kept, waiting_.end());
  return done;
}

Settlement Outcomes::settlement(std::size_t most) {
  if (offered_ == 0) offered_ = std::min(most, waiting_.size());
  Settlement result;
  for (std::size_t i = 0; i < offered_; ++i) {
    const Outcome& one = waiting_[i].second;
    const std::int64_t row = one.id.row;
    switch (one.kind) {
      case Outcome::Kind::delivered:
        result.delivered.push_back(row);
        break;
      case Outcome::Kind::expired:
        result.expired.push_back(row);
        break;
      case Outcome::Kind::failed:
        result.failures.push_back({row, one.attempts, one.suspect, one.due, one.aged, one.error});
        break;
      case Outcome::Kind::died:
        result.deaths.push_back({row, one.reason, one.attempts, one.error});
        break;
    }
  }
  return result;
}

std::vector<Outcome> Outcomes::recorded() {
  std::vector<Outcome> done;
  done.reserve(offered_);
  for (; offered_ > 0; --offered_) {
    if (waiting_.front().second.kind != Outcome::Kind::delivered) --others_;
    done.push_back(std::move(waiting_.front().second));
    waiting_.pop_front();
  }
  return done;
}

void report(Observer& observer, const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::delivered:
      observer.delivered(outcome.id, outcome.attempts);
      return;
    case Outcome::Kind::expired:
      observer.expired(outcome.id);
      return;
    case Outcome::Kind::failed:
      if (!outcome.silent) observer.retrying(outcome.id, outcome.attempts, outcome.error, outcome.backoff);
      return;
    case Outcome::Kind::died:
      observer.died(outcome.id, outcome.reason, outcome.error);
      return;
  }
}

}  // namespace satchel::relay
