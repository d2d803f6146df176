// SPDX-License-Identifier: MIT
#include <satchel/custom_sink.hpp>

#include "base/fork.hpp"
#include "base/mutex.hpp"
#include "base/quiet_thread.hpp"
#include "sinks/outlet/outlet.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <optional>
#include <thread>

namespace satchel {

namespace {

constexpr std::size_t kMaxCapacity = 65'535;

using Moment = std::chrono::steady_clock::time_point;

Receipt receipt_of_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return retry(std::string{"the sink function threw: "} + error.what());
  } catch (...) {
    return retry("the sink function threw something unknown");
  }
}

}  // namespace

/// The queue, the thread that calls the function, and what is owed. The thread and each completion keep it
/// alive.
class CustomSink::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Blocking blocking, Asynchronous asynchronous, CustomSinkOptions options)
      : blocking_{std::move(blocking)},
        asynchronous_{std::move(asynchronous)},
        options_{std::move(options)},
        born_{fork_generation()} {
    if (options_.capacity < 1 || options_.capacity > kMaxCapacity) {
      throw InvalidOption{"sink", "capacity is " + std::to_string(options_.capacity), "from 1 to 65535"};
    }
    if (!blocking_ && !asynchronous_)
      throw InvalidOption{"sink", "the function is empty", "pass one that can be called"};
  }

  void start(SinkEvents& events) {
    outlet_ = std::make_unique<Outlet>(events);
    std::thread thread = start_quiet_thread([core = shared_from_this()] { core->run(); });
    const Lock lock{mutex_};
    thread_ = std::move(thread);
  }

  void resume() {
    if (outlet_) outlet_->up();
  }

  void send(std::vector<Delivery> batch) {
    outlet_->expect(batch);
    const Lock lock{mutex_};
    queue_.insert(queue_.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
    changed_.notify_all();
  }

  void reset() {
    if (!outlet_) return;
    drop_queue();
    outlet_->give_up_exposed("taken back because an answer stayed out");
    outlet_->down(down("taken back because an answer stayed out"));
  }

  void stop(std::chrono::milliseconds timeout) noexcept {
    if (!outlet_) return;
    timeout =
        std::clamp<std::chrono::milliseconds>(timeout, std::chrono::milliseconds{0}, std::chrono::hours{24});
    const Moment until = std::chrono::steady_clock::now() + timeout;
    answer_all(drop_queue(), "the sink was stopped before the message was sent");
    {
      const Lock lock{mutex_};
      stopping_ = true;
      changed_.notify_all();
    }
    outlet_->wait_answered(until);
    end_thread(until);
    outlet_->give_up("the sink was stopped before an answer came");
    outlet_->close();
  }

  void answer(std::uint64_t claim, Receipt receipt) noexcept {
    receipt.claim = claim;
    std::vector<Receipt> one;
    one.push_back(std::move(receipt));
    outlet_->answer(std::move(one));
  }

  std::size_t capacity() const noexcept { return options_.capacity; }
  const std::string& name() const noexcept { return options_.name; }

 private:
  void run() noexcept {
    while (auto delivery = next()) call(*std::move(delivery));
    const Lock lock{mutex_};
    ended_ = true;
    changed_.notify_all();
  }

  std::optional<Delivery> next() {
    Lock lock{mutex_};
    changed_.wait(lock.native(), [this]() SATCHEL_REQUIRES(mutex_) { return stopping_ || !queue_.empty(); });
    if (stopping_) return std::nullopt;
    Delivery delivery = std::move(queue_.front());
    queue_.pop_front();
    return delivery;
  }

  void call(Delivery delivery) noexcept;

  std::deque<Delivery> drop_queue() noexcept {
    const Lock lock{mutex_};
    return std::exchange(queue_, {});
  }

  void answer_all(const std::deque<Delivery>& deliveries, const char* reason) noexcept {
    std::vector<Receipt> receipts;
    for (const Delivery& delivery : deliveries) {
      receipts.push_back(down(reason));
      receipts.back().claim = delivery.claim;
    }
    outlet_->answer(std::move(receipts));
  }

  void end_thread(Moment until) noexcept {
    Lock lock{mutex_};
    // In a forked child the thread does not exist, and it cannot wait for itself.
    const bool waits = born_ == fork_generation() && thread_.get_id() != std::this_thread::get_id();
    const bool ended = waits && changed_.wait_until(lock.native(), until,
                                                    [this]() SATCHEL_REQUIRES(mutex_) { return ended_; });
    std::thread thread = std::move(thread_);
    lock.unlock();
    if (!thread.joinable()) return;
    if (ended)
      thread.join();
    else
      thread.detach();
  }

  // Constant after construction; outlet_ after start.
  const Blocking blocking_;
  const Asynchronous asynchronous_;
  const CustomSinkOptions options_;
  const unsigned born_;
  std::unique_ptr<Outlet> outlet_;
  // Own synchronisation.
  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Delivery> queue_ SATCHEL_GUARDED_BY(mutex_);
  bool stopping_ SATCHEL_GUARDED_BY(mutex_) = false;
  bool ended_ SATCHEL_GUARDED_BY(mutex_) = false;
  std::thread thread_ SATCHEL_GUARDED_BY(mutex_);
};

struct Completion::State {
  State(std::shared_ptr<CustomSink::Core> owner, std::uint64_t its_claim)
      : core{std::move(owner)}, claim{its_claim} {}
  ~State() { answer(retry("the sink function gave up its completion without an answer")); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void answer(Receipt receipt) noexcept {
    if (!answered.exchange(true)) core->answer(claim, std::move(receipt));
  }

  const std::shared_ptr<CustomSink::Core> core;
  const std::uint64_t claim;
  std::atomic<bool> answered{false};
};

void Completion::operator()(Receipt receipt) const noexcept {
  if (state_) state_->answer(std::move(receipt));
}

void CustomSink::Core::call(Delivery delivery) noexcept {
  const std::uint64_t claim = delivery.claim;
  outlet_->on_the_wire({claim});
  if (blocking_) {
    Receipt receipt;
    try {
      receipt = blocking_(std::move(delivery));
    } catch (...) {
      receipt = receipt_of_exception();
    }
    return answer(claim, std::move(receipt));
  }
  const auto state = std::make_shared<Completion::State>(shared_from_this(), claim);
  try {
    asynchronous_(std::move(delivery), Completion{state});
  } catch (...) {
    state->answer(receipt_of_exception());
  }
}

CustomSink::CustomSink(Blocking function, CustomSinkOptions options)
    : core_{std::make_shared<Core>(std::move(function), nullptr, std::move(options))} {}

CustomSink::CustomSink(Asynchronous function, CustomSinkOptions options)
    : core_{std::make_shared<Core>(nullptr, std::move(function), std::move(options))} {}

CustomSink::~CustomSink() {
  if (core_) core_->stop(std::chrono::milliseconds{0});
}

CustomSink::CustomSink(CustomSink&&) noexcept = default;

CustomSink& CustomSink::operator=(CustomSink&& other) noexcept {
  if (this != &other) {
    if (core_) core_->stop(std::chrono::milliseconds{0});
    core_ = std::move(other.core_);
  }
  return *this;
}

void CustomSink::start(SinkEvents& events) { core_->start(events); }
void CustomSink::resume() { core_->resume(); }
void CustomSink::send(std::vector<Delivery> batch) { core_->send(std::move(batch)); }
void CustomSink::reset() { core_->reset(); }
void CustomSink::stop(std::chrono::milliseconds timeout) noexcept { core_->stop(timeout); }
std::size_t CustomSink::capacity() const noexcept { return core_->capacity(); }
std::string CustomSink::name() const { return core_->name(); }

Message to_message(Delivery delivery) {
  Message message;
  message.topic = std::move(delivery.topic);
  message.payload = std::move(delivery.payload);
  message.key = std::move(delivery.key);
  message.content_type = std::move(delivery.content_type);
  message.headers = std::move(delivery.headers);
  message.expires_after = delivery.remaining;
  return message;
}

}  // namespace satchel
