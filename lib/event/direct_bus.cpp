// SPDX-License-Identifier: MIT
#include "event/direct_bus.hpp"

#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace satchel {

namespace {

Identity random_identity() {
  std::random_device source;
  Identity identity{};
  std::generate(identity.begin(), identity.end(),
                [&] { return static_cast<std::uint8_t>(source() & 0xffU); });
  return identity;
}

Options checked(Options limits) {
  validate(limits);
  return limits;
}

constexpr const char* kNotSent = "it was not sent; publish it again";
constexpr const char* kUncertain = "it may have arrived: publishing it again may send a second copy";

[[noreturn]] void fail(std::string problem, std::string hint) {
  throw DeliveryFailed{"publish", std::move(problem), std::move(hint)};
}

}  // namespace

DirectEventBus::Core::Core(std::unique_ptr<Sink> sink, std::chrono::milliseconds timeout,
                           const Options& limits)
    : hooks{limits.max_event_depth},
      limits_{checked(limits)},
      timeout_{std::max(timeout, std::chrono::milliseconds{0})},
      identity_{random_identity()},
      sink_{std::move(sink)},
      name_{sink_ ? sink_->name() : std::string{}} {
  if (!sink_) throw UsageError{"DirectEventBus", "no sink", "pass one"};
  sink_->start(*this);
}

DirectEventBus::Core::~Core() { sink_->stop(timeout_); }

// The port allows one thread at a time in the sink. A flag and not a lock, because no lock may be held while
// the sink is called. Made and ended with the lock held.
class DirectEventBus::Core::Turn {
 public:
  Turn(Core& core, Lock& lock, TimePoint deadline) : core_{core} {
    if (!core_.changed_.wait_until(lock, deadline, [this] { return !core_.in_sink_; })) {
      fail(fmt::format("no turn at {} in {} ms", core_.name_, core_.timeout_.count()), kNotSent);
    }
    core_.in_sink_ = true;
  }
  ~Turn() {
    core_.in_sink_ = false;
    core_.changed_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Core& core_;
};

// Calls the sink without the lock, which is held again when this returns or throws.
template <class Call>
auto DirectEventBus::Core::unlocked(Lock& lock, const Call& call) {
  struct Relock {
    Lock& lock;
    ~Relock() { lock.lock(); }
  };
  lock.unlock();
  const Relock relock{lock};
  return call();
}

void DirectEventBus::Core::wait_until_up(Lock& lock, TimePoint deadline) {
  if (reset_due_) {
    reset_due_ = false;
    unlocked(lock, [this] { sink_->reset(); });
  }
  if (state_ == State::down) {
    state_ = State::connecting;
    try {
      unlocked(lock, [this] { sink_->resume(); });
    } catch (...) {
      state_ = State::down;
      throw;
    }
  }
  if (!changed_.wait_until(lock, deadline, [this] { return state_ != State::connecting; }))
    fail(fmt::format("{} did not come up in {} ms", name_, timeout_.count()), kNotSent);
  if (state_ == State::down) fail(fmt::format("{} is down: {}", name_, problem_), kNotSent);
}

MessageId DirectEventBus::Core::send(const Message& message) {
  const TimePoint deadline = std::chrono::steady_clock::now() + timeout_;
  const std::optional<Message> complete = hooks.propagated(message);
  Message ready = validated(complete ? *complete : message, limits_);
  Delivery delivery;
  delivery.topic = std::move(ready.topic);
  delivery.payload = std::move(ready.payload);
  delivery.key = std::move(ready.key);
  delivery.content_type = std::move(ready.content_type);
  delivery.headers = std::move(ready.headers);
  delivery.remaining = ready.expires_after;

  Lock lock{mutex_};
  const MessageId id = hand_over(lock, deadline, std::move(delivery));
  wait_for_receipt(lock, deadline, static_cast<std::uint64_t>(id.row));
  return id;
}

MessageId DirectEventBus::Core::hand_over(Lock& lock, TimePoint deadline, Delivery delivery) {
  const Turn turn{*this, lock, deadline};
  wait_until_up(lock, deadline);
  const std::size_t capacity = std::max<std::size_t>(unlocked(lock, [this] { return sink_->capacity(); }), 1);
  if (!changed_.wait_until(lock, deadline, [&] { return waiting_.size() < capacity; }))
    fail(fmt::format("{} messages are with {} already", waiting_.size(), name_), kNotSent);

  delivery.claim = ++last_claim_;
  delivery.id = {identity_, static_cast<std::int64_t>(delivery.claim)};
  const MessageId id = delivery.id;
  waiting_.emplace(delivery.claim, std::nullopt);
  std::vector<Delivery> batch;
  batch.push_back(std::move(delivery));
  try {
    unlocked(lock, [&] { sink_->send(std::move(batch)); });
  } catch (...) {
    waiting_.erase(last_claim_);
    throw;
  }
  return id;
}

void DirectEventBus::Core::wait_for_receipt(Lock& lock, TimePoint deadline, std::uint64_t claim) {
  const bool answered = changed_.wait_until(lock, deadline, [&] { return waiting_.at(claim).has_value(); });
  const std::optional<Receipt> receipt = std::move(waiting_.at(claim));
  waiting_.erase(claim);
  changed_.notify_all();
  if (!answered) {
    // What the port asks for when a receipt stays out. Who is in the sink now does it later.
    reset_due_ = true;
    if (!in_sink_) {
      const Turn turn{*this, lock, deadline};
      reset_due_ = false;
      unlocked(lock, [this] { sink_->reset(); });
    }
    fail(fmt::format("no answer from {} in {} ms", name_, timeout_.count()), kUncertain);
  }
  if (receipt->verdict == Verdict::delivered) return;
  fail(fmt::format("{} answered: {}", name_, receipt->reason),
       receipt->exposed ? kUncertain : "it did not arrive");
}

void DirectEventBus::Core::receipts(std::vector<Receipt> batch) noexcept {
  const std::lock_guard lock{mutex_};
  for (Receipt& receipt : batch) {
    const auto found = waiting_.find(receipt.claim);
    if (found != waiting_.end() && !found->second) found->second = std::move(receipt);
  }
  changed_.notify_all();
}

void DirectEventBus::Core::up() noexcept {
  const std::lock_guard lock{mutex_};
  state_ = State::up;
  changed_.notify_all();
}

void DirectEventBus::Core::down(Receipt cause) noexcept {
  const std::lock_guard lock{mutex_};
  state_ = State::down;
  problem_ = std::move(cause.reason);
  changed_.notify_all();
}

DirectEventBus::DirectEventBus(std::unique_ptr<Sink> sink, std::chrono::milliseconds timeout,
                               const Options& limits)
    : core_{std::make_unique<Core>(std::move(sink), timeout, limits)} {}

DirectEventBus::~DirectEventBus() = default;

MessageId DirectEventBus::send(const Message& message) { return core_->send(message); }

void DirectEventBus::dispatch(const detail::AnyEvent& event) { core_->hooks.dispatch(event, nullptr); }

void DirectEventBus::add_handler(std::type_index type, EventHandler handler) {
  core_->hooks.add_handler(type, std::move(handler));
}

void DirectEventBus::add_propagator(HeaderPropagator propagator) {
  core_->hooks.add_propagator(std::move(propagator));
}

}  // namespace satchel
