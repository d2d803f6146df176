// SPDX-License-Identifier: MIT
#include "relay/inbox.hpp"

#include <new>

namespace satchel::relay {

void Inbox::receipts(std::vector<Receipt> batch) noexcept {
  const std::size_t weight = batch.size();
  if (weight != 0) add(SinkEvent{std::move(batch)}, weight);
}

void Inbox::up() noexcept { add(SinkEvent{SinkUp{}}, 1); }

void Inbox::down(Receipt cause) noexcept { add(SinkEvent{SinkDown{std::move(cause)}}, 1); }

std::vector<SinkEvent> Inbox::take() {
  const Lock lock{mutex_};
  held_ = 0;
  return std::exchange(events_, {});
}

std::uint64_t Inbox::overflowed() const {
  const Lock lock{mutex_};
  return overflowed_;
}

void Inbox::add(SinkEvent event, std::size_t weight) noexcept {
  bool first = false;
  {
    const Lock lock{mutex_};
    if (held_ + weight > kMaxWeight) {
      overflowed_ += weight;
      return;
    }
    try {
      first = events_.empty();
      events_.push_back(std::move(event));
      held_ += weight;
    } catch (const std::bad_alloc&) {
      // Without the receipts the claim timeout takes the messages back.
      overflowed_ += weight;
    }
  }
  if (first) wake_();
}

}  // namespace satchel::relay
