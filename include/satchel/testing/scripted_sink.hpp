// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::testing {

/// A sink without a network that does what the test tells it: by a function that answers each delivery at
/// once, or by hand.
///
///     ScriptedSink sink;
///     sink.answer([](const Delivery& d) { return d.topic == "bad" ? reject("no") : delivered(); });
///
/// Without a function every delivery stays with the sink until `reply`, `fall` or `reset`. The sink keeps the
/// rules of `Sink`: one receipt for each delivery, receipts before `down`, silence after `stop`. Thread-safe;
/// events are sent from the thread of the call that causes them, with no lock held.
class ScriptedSink : public Sink {
 public:
  /// Answers one delivery; nothing: it stays with the sink.
  using Answer = std::function<std::optional<Receipt>(const Delivery&)>;

  explicit ScriptedSink(std::size_t capacity = 1000) : capacity_{capacity} {}

  // ---- what the test says ----

  /// Answers deliveries as they come.
  void answer(Answer answer) {
    const std::lock_guard lock{mutex_};
    answer_ = std::move(answer);
  }

  /// What `resume` leads to: nothing (default): up at once; otherwise `down` with this cause.
  void refuse(std::optional<Receipt> cause) {
    const std::lock_guard lock{mutex_};
    refusal_ = std::move(cause);
  }

  /// `resume` is not answered until `rise` or `fall`.
  void hold_resume(bool hold) {
    const std::lock_guard lock{mutex_};
    hold_resume_ = hold;
  }

  /// Whether `reset` is obeyed.
  void ignore_reset(bool ignore) {
    const std::lock_guard lock{mutex_};
    ignore_reset_ = ignore;
  }

  void set_capacity(std::size_t capacity) {
    const std::lock_guard lock{mutex_};
    capacity_ = capacity;
  }

  /// Answers one delivery that is with the sink. False: it is not.
  bool reply(std::uint64_t claim, Receipt receipt) {
    {
      const std::lock_guard lock{mutex_};
      if (under_way_.erase(claim) == 0) return false;
    }
    receipt.claim = claim;
    events_->receipts({std::move(receipt)});
    return true;
  }

  /// Answers everything that is with the sink. Returns how many.
  std::size_t reply_all(const Receipt& receipt) {
    std::vector<Receipt> batch;
    {
      const std::lock_guard lock{mutex_};
      batch = take_all(receipt);
    }
    const std::size_t count = batch.size();
    if (count != 0) events_->receipts(std::move(batch));
    return count;
  }

  /// The connection is there.
  void rise() {
    {
      const std::lock_guard lock{mutex_};
      up_ = true;
    }
    events_->up();
  }

  /// The connection breaks: everything under way comes back as `down`, exposed.
  void fall(const Receipt& cause = down("connection lost")) {
    std::vector<Receipt> batch;
    {
      const std::lock_guard lock{mutex_};
      up_ = false;
      Receipt lost = down(cause.reason);
      lost.exposed = true;
      batch = take_all(lost);
    }
    if (!batch.empty()) events_->receipts(std::move(batch));
    events_->down(cause);
  }

  // ---- what the test sees ----

  /// Deliveries without a receipt, in the order of their hand-over.
  std::vector<Delivery> under_way() const {
    const std::lock_guard lock{mutex_};
    std::vector<Delivery> all;
    for (const auto& [claim, delivery] : under_way_) all.push_back(delivery);
    return all;
  }

  /// All deliveries since the last call, in the order of their hand-over.
  std::vector<Delivery> take_sent() {
    const std::lock_guard lock{mutex_};
    return std::exchange(sent_, {});
  }

  bool is_up() const {
    const std::lock_guard lock{mutex_};
    return up_;
  }
  /// Times that the sink was asked to become usable.
  int resumes() const {
    const std::lock_guard lock{mutex_};
    return resumes_;
  }
  int resets() const {
    const std::lock_guard lock{mutex_};
    return resets_;
  }
  /// Hand-overs.
  int batches() const {
    const std::lock_guard lock{mutex_};
    return batches_;
  }
  /// Breaches of the rules of `Sink` by its user: a delivery while it was down, over its capacity, before
  /// start, after stop.
  std::vector<std::string> breaches() const {
    const std::lock_guard lock{mutex_};
    return breaches_;
  }

  // ---- Sink ----

  void start(SinkEvents& events) override {
    const std::lock_guard lock{mutex_};
    if (events_ != nullptr) breaches_.emplace_back("started twice");
    events_ = &events;
  }

  void resume() override {
    std::optional<Receipt> refusal;
    {
      const std::lock_guard lock{mutex_};
      ++resumes_;
      if (stopped_ || events_ == nullptr) breaches_.emplace_back("resumed before start or after stop");
      if (stopped_ || hold_resume_) return;
      refusal = refusal_;
      up_ = !refusal;
    }
    if (refusal) {
      events_->down(*refusal);
    } else {
      events_->up();
    }
  }

  void send(std::vector<Delivery> batch) override {
    std::vector<Receipt> receipts;
    Answer answer;
    {
      const std::lock_guard lock{mutex_};
      ++batches_;
      if (!up_ || stopped_) breaches_.emplace_back("sent while it was down");
      answer = answer_;
    }
    for (Delivery& delivery : batch) {
      std::optional<Receipt> receipt = answer ? answer(delivery) : std::nullopt;
      const std::lock_guard lock{mutex_};
      sent_.push_back(delivery);
      if (receipt) {
        receipt->claim = delivery.claim;
        receipts.push_back(std::move(*receipt));
      } else {
        under_way_.emplace(delivery.claim, std::move(delivery));
        if (under_way_.size() > capacity_) breaches_.emplace_back("more under way than its capacity");
      }
    }
    if (!receipts.empty()) events_->receipts(std::move(receipts));
  }

  void reset() override {
    {
      const std::lock_guard lock{mutex_};
      ++resets_;
      if (ignore_reset_ || stopped_) return;
    }
    fall(down("reset"));
  }

  void stop(std::chrono::milliseconds) noexcept override {
    std::vector<Receipt> batch;
    SinkEvents* events = nullptr;
    {
      const std::lock_guard lock{mutex_};
      if (std::exchange(stopped_, true) || events_ == nullptr) return;
      up_ = false;
      Receipt lost = down("stopped");
      lost.exposed = true;
      batch = take_all(lost);
      events = events_;
    }
    if (!batch.empty()) events->receipts(std::move(batch));
  }

  std::size_t capacity() const noexcept override {
    const std::lock_guard lock{mutex_};
    return capacity_;
  }

  std::string name() const override { return "scripted"; }

 private:
  std::vector<Receipt> take_all(Receipt receipt) {
    std::vector<Receipt> batch;
    for (const auto& [claim, delivery] : under_way_) {
      receipt.claim = claim;
      batch.push_back(receipt);
    }
    under_way_.clear();
    return batch;
  }

  mutable std::mutex mutex_;
  // Guarded by mutex_; events_ is set once, before anything is sent to it:
  SinkEvents* events_ = nullptr;
  Answer answer_;
  std::optional<Receipt> refusal_;
  std::size_t capacity_;
  std::map<std::uint64_t, Delivery> under_way_;
  std::vector<Delivery> sent_;
  std::vector<std::string> breaches_;
  int resumes_ = 0;
  int resets_ = 0;
  int batches_ = 0;
  bool up_ = false;
  bool stopped_ = false;
  bool hold_resume_ = false;
  bool ignore_reset_ = false;
};

}  // namespace satchel::testing

#pragma GCC visibility pop
