// SPDX-License-Identifier: MIT
#include "store/riders.hpp"

#include <algorithm>
#include <utility>

namespace satchel::store {

void Riders::offer(std::int64_t epoch, const std::vector<std::int64_t>& rows, BootTime now) {
  const auto in = [](const std::vector<std::int64_t>& list, std::int64_t row) {
    return std::find(list.begin(), list.end(), row) != list.end();
  };
  const Lock lock{mutex_};
  const std::int64_t first = offered_.empty() ? 0 : offered_.front();
  epoch_ = epoch;
  offered_.clear();
  for (const std::int64_t row : rows) {
    if (offered_.size() >= kMost) break;
    // Taken, or recorded, since the relay has looked.
    if (!in(on_their_way_, row) && !in(ended_.recorded, row)) offered_.push_back(row);
  }
  if (offered_.empty() || offered_.front() != first) since_ = now;
  any_.store(!offered_.empty());
}

void Riders::withdraw() noexcept {
  const Lock lock{mutex_};
  offered_.clear();
  any_.store(false);
}

Riders::Ended Riders::ended() {
  const Lock lock{mutex_};
  return std::exchange(ended_, {});
}

bool Riders::commit_is_near(BootTime now) const noexcept {
  const BootTime::rep last = last_commit_.load();
  return last != kNever && now - BootTime{BootTime::duration{last}} <= kNear;
}

std::optional<Riders::Group> Riders::take(BootTime now) {
  if (!any_.load()) return std::nullopt;
  const Lock lock{mutex_};
  if (offered_.empty() || (offered_.size() < kWorthwhile && now - since_ < kPatience)) return std::nullopt;
  // What `arrived` needs, while a lack of memory does no harm.
  ended_.recorded.reserve(ended_.recorded.size() + offered_.size());
  Group group{epoch_, offered_};
  on_their_way_.swap(offered_);
  offered_.clear();
  any_.store(false);
  return group;
}

void Riders::arrived(std::int64_t removed) noexcept {
  const Lock lock{mutex_};
  ended_.recorded.insert(ended_.recorded.end(), on_their_way_.begin(), on_their_way_.end());
  ended_.removed += removed;
  on_their_way_.clear();
}

void Riders::thrown_off(bool unknown) noexcept {
  const Lock lock{mutex_};
  // Swapped, not copied: there may be no memory. Of two failures in a row the later one counts.
  if (unknown) ended_.unknown.swap(on_their_way_);
  on_their_way_.clear();
}

}  // namespace satchel::store
