// SPDX-License-Identifier: MIT
#include "sinks/mqtt/exchange.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <system_error>
#include <utility>

namespace satchel::mqtt {

Exchange::Exchange(std::size_t capacity)
    : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), capacity_(capacity) {
  if (wake_ < 0) throw std::system_error{errno, std::generic_category(), "eventfd"};
}

Exchange::~Exchange() { ::close(wake_); }

void Exchange::open(SinkEvents& events) {
  const Lock lock{mutex_};
  events_ = &events;
}

void Exchange::send(std::vector<Delivery> batch) {
  {
    const Lock lock{mutex_};
    auto& deliveries = orders_.deliveries;
    if (deliveries.empty()) {
      deliveries = std::move(batch);
    } else {
      deliveries.insert(deliveries.end(), std::move_iterator{batch.begin()}, std::move_iterator{batch.end()});
    }
  }
  wake();
}

void Exchange::reset() {
  {
    const Lock lock{mutex_};
    orders_.reset = true;
  }
  wake();
}

void Exchange::resume() {
  {
    const Lock lock{mutex_};
    orders_.resume = true;
  }
  wake();
}

void Exchange::ask_to_stop(Deadline by) noexcept {
  {
    const Lock lock{mutex_};
    orders_.stop_by = by;
  }
  wake();
}

void Exchange::close(Deadline by) noexcept {
  Lock lock{mutex_};
  events_ = nullptr;
  changed_.wait_until(lock.native(), by, [this]() SATCHEL_REQUIRES(mutex_) {
    return !telling_ || *telling_ == std::this_thread::get_id();
  });
}

Orders Exchange::take() {
  std::uint64_t count = 0;
  // Before the orders are taken: an order given in between leaves its wake-up behind.
  static_cast<void>(::read(wake_, &count, sizeof(count)));
  const Lock lock{mutex_};
  return std::exchange(orders_, Orders{});
}

template <typename Call>
void Exchange::tell(Call&& call) noexcept {
  SinkEvents* events = nullptr;
  {
    const Lock lock{mutex_};
    events = events_;
    if (events == nullptr) return;
    telling_ = std::this_thread::get_id();
  }
  call(*events);
  {
    const Lock lock{mutex_};
    telling_.reset();
    changed_.notify_all();
  }
}

void Exchange::receipts(std::vector<Receipt> batch) noexcept {
  if (batch.empty()) return;
  tell([&](SinkEvents& events) { events.receipts(std::move(batch)); });
}

void Exchange::up() noexcept {
  tell([](SinkEvents& events) { events.up(); });
}

void Exchange::down(Receipt cause) noexcept {
  tell([&](SinkEvents& events) { events.down(std::move(cause)); });
}

void Exchange::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, which means that a wake-up is under way anyhow.
  static_cast<void>(::write(wake_, &one, sizeof(one)));
}

void Exchange::finish() noexcept {
  const Lock lock{mutex_};
  finished_ = true;
  changed_.notify_all();
}

bool Exchange::wait_finished(Deadline by) noexcept {
  Lock lock{mutex_};
  return changed_.wait_until(lock.native(), by, [this]() SATCHEL_REQUIRES(mutex_) { return finished_; });
}

bool Exchange::in_event() const noexcept {
  const Lock lock{mutex_};
  return telling_ && *telling_ == std::this_thread::get_id();
}

}  // namespace satchel::mqtt
