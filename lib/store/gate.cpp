// SPDX-License-Identifier: MIT
#include "store/gate.hpp"

#include <algorithm>
#include <utility>

namespace satchel::store {

bool Gate::reservation_is_void(std::thread::id asking) const {
  // A thread that asks here cannot at the same time come for its own relay's turn (a relay without a thread
  // of its own).
  return reserved_thread_ == asking || std::chrono::steady_clock::now() >= reserved_until_;
}

void Gate::enter() {
  const std::thread::id self = std::this_thread::get_id();
  Lock lock{mutex_};
  if (!taken_ && line_.empty()) {
    taken_ = true;
    holder_.store(self);
    return;
  }
  std::condition_variable turn;
  const auto place = line_.insert(line_.end(), Place{nullptr, {}, self, &turn, false});
  while (!place->granted) {
    if (reserved_for_ != nullptr && reservation_is_void(self)) {
      const std::function<void()> call = pass_on();
      if (call) {
        lock.unlock();
        call();
        lock.lock();
      }
    } else if (reserved_for_ != nullptr) {
      turn.wait_until(lock.native(), reserved_until_);
    } else {
      turn.wait(lock.native());
    }
  }
  line_.erase(place);
  holder_.store(self);
}

bool Gate::enter_or_request(const void* caller, std::function<void()> call) {
  const std::thread::id self = std::this_thread::get_id();
  const Lock lock{mutex_};
  const bool mine = reserved_for_ == caller;
  if (mine || (!taken_ && line_.empty())) {
    reserved_for_ = nullptr;
    taken_ = true;
    holder_.store(self);
    return true;
  }
  const bool queued =
      std::any_of(line_.begin(), line_.end(), [&](const Place& p) { return p.caller == caller; });
  if (!queued) line_.push_back(Place{caller, std::move(call), self, nullptr, false});
  return false;
}

std::function<void()> Gate::pass_on() {
  reserved_for_ = nullptr;
  const auto next = std::find_if(line_.begin(), line_.end(), [](const Place& p) { return !p.granted; });
  taken_ = next != line_.end();
  if (!taken_) return {};
  if (next->caller == nullptr) {
    next->granted = true;
    next->turn->notify_one();
    return {};
  }
  reserved_for_ = next->caller;
  reserved_thread_ = next->thread;
  reserved_until_ = std::chrono::steady_clock::now() + kReserved;
  std::function<void()> call = std::move(next->call);
  line_.erase(next);
  // Whoever waits behind has to watch the reservation's end.
  for (Place& place : line_) {
    if (place.turn != nullptr) place.turn->notify_one();
  }
  return call;
}

void Gate::leave() noexcept {
  std::function<void()> call;
  {
    const Lock lock{mutex_};
    holder_.store(std::thread::id{});
    call = pass_on();
  }
  if (call) call();
}

void Gate::forget(const void* caller) noexcept {
  std::function<void()> call;
  {
    const Lock lock{mutex_};
    line_.remove_if([&](const Place& place) { return place.caller == caller; });
    if (reserved_for_ == caller) call = pass_on();
  }
  if (call) call();
}

std::size_t Gate::waiting() const {
  const Lock lock{mutex_};
  return line_.size();
}

}  // namespace satchel::store
