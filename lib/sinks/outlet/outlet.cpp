// SPDX-License-Identifier: MIT
#include "sinks/outlet/outlet.hpp"

#include <algorithm>
#include <utility>

namespace satchel {

void Outlet::expect(const std::vector<Delivery>& batch) {
  const Lock lock{mutex_};
  for (const Delivery& delivery : batch) owed_.emplace(delivery.claim, false);
}

void Outlet::on_the_wire(const std::vector<std::uint64_t>& claims) {
  const Lock lock{mutex_};
  for (const std::uint64_t claim : claims) {
    if (const auto found = owed_.find(claim); found != owed_.end()) found->second = true;
  }
}

template <typename Call>
void Outlet::pass_on(Call call) noexcept {
  const auto self = std::this_thread::get_id();
  {
    const Lock lock{mutex_};
    if (closed_) return;
    calls_.push_back(self);
  }
  call(*events_);
  // Under the lock: whoever waits in close may take this object apart as soon as it has the lock.
  const Lock lock{mutex_};
  calls_.erase(std::find(calls_.begin(), calls_.end(), self));
  quiet_.notify_all();
}

void Outlet::answer(std::vector<Receipt> receipts) noexcept {
  {
    const Lock lock{mutex_};
    std::erase_if(receipts, [this](const Receipt& receipt)
                                SATCHEL_REQUIRES(mutex_) { return owed_.erase(receipt.claim) == 0; });
    if (owed_.empty()) quiet_.notify_all();
  }
  if (receipts.empty()) return;
  pass_on([&](SinkEvents& events) { events.receipts(std::move(receipts)); });
}

void Outlet::up() noexcept {
  pass_on([](SinkEvents& events) { events.up(); });
}

void Outlet::down(Receipt cause) noexcept {
  pass_on([&](SinkEvents& events) { events.down(std::move(cause)); });
}

void Outlet::give_up(const std::string& reason) noexcept { give_up(reason, false); }

void Outlet::give_up_exposed(const std::string& reason) noexcept { give_up(reason, true); }

bool Outlet::wait_answered(std::chrono::steady_clock::time_point until) noexcept {
  Lock lock{mutex_};
  return quiet_.wait_until(lock.native(), until, [this]() SATCHEL_REQUIRES(mutex_) { return owed_.empty(); });
}

void Outlet::give_up(const std::string& reason, bool all_exposed) noexcept {
  std::vector<Receipt> receipts;
  {
    const Lock lock{mutex_};
    for (const auto& [claim, wire] : owed_) {
      Receipt receipt = satchel::down(reason);
      receipt.claim = claim;
      receipt.exposed = wire || all_exposed;
      receipts.push_back(std::move(receipt));
    }
    owed_.clear();
  }
  if (receipts.empty()) return;
  pass_on([&](SinkEvents& events) { events.receipts(std::move(receipts)); });
}

void Outlet::close() noexcept {
  Lock lock{mutex_};
  closed_ = true;
  const auto self = std::this_thread::get_id();
  quiet_.wait(lock.native(), [&]() SATCHEL_REQUIRES(mutex_) {
    return std::all_of(calls_.begin(), calls_.end(), [&](auto id) { return id == self; });
  });
}

}  // namespace satchel
