// SPDX-License-Identifier: MIT
#include "outbox/transaction_state.hpp"
#include "store/errors.hpp"

#include <satchel/aggregate.hpp>
#include <satchel/error.hpp>
#include <satchel/event.hpp>
#include <satchel/transaction.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace satchel {

Transaction::Transaction(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {
  state_->hooks->current.store(this);
}

Transaction::Transaction(Transaction&& other) noexcept : state_{std::move(other.state_)} { attach(&other); }

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  if (this != &other) {
    if (state_) attach(nullptr);
    state_ = std::move(other.state_);
    attach(&other);
  }
  return *this;
}

Transaction::~Transaction() {
  if (!state_) return;
  Transaction* self = this;
  state_->hooks->current.compare_exchange_strong(self, nullptr);
}

// Keeps the outbox's idea of where its open transaction is, unless another one has begun since.
void Transaction::attach(Transaction* from) noexcept {
  if (!state_) return;
  Transaction* expected = from != nullptr ? from : this;
  state_->hooks->current.compare_exchange_strong(expected, from != nullptr ? this : nullptr);
}

bool Transaction::open() const noexcept { return state_ && state_->writing->open(); }

Transaction::State& Transaction::state(const char* operation) {
  if (!open()) {
    throw UsageError{operation, "the transaction has ended", "begin a new one after commit or rollback"};
  }
  if (const std::string& failure = state_->handling->failure; !failure.empty()) {
    throw UsageError{operation, failure, "roll back and begin a new transaction"};
  }
  return *state_;
}

SQLite::Database& Transaction::database() { return state("database").writing->database(); }

int Transaction::run(std::string_view sql, std::span<const Parameter> parameters) {
  const State& open = state("execute");
  try {
    return open.writing->execute(sql, parameters);
  } catch (const SQLite::Exception& failure) {
    store::throw_error("execute", failure);
  }
}

MessageId Transaction::enqueue(const Message& message) {
  const State& open = state("enqueue");
  const std::optional<Message> complete = open.hooks->propagated(message);
  return open.writing->enqueue(complete ? *complete : message);
}

void Transaction::dispatch(const detail::AnyEvent& event) {
  const State& open = state("publish");
  // A handler may end this transaction, or move it away.
  const std::shared_ptr<State::Handling> handling = open.handling;
  const std::shared_ptr<event::Hooks> hooks = open.hooks;
  ++handling->depth;
  try {
    hooks->dispatch(event, this);
  } catch (...) {
    --handling->depth;
    if (handling->failure.empty()) {
      handling->failure =
          fmt::format("a handler of '{}' failed: {}", event.name, event::text_of(std::current_exception()));
    }
    throw;
  }
  --handling->depth;
}

void Transaction::collect(Aggregate& aggregate) {
  auto& collected = state("collect").collected;
  aggregate.queue();
  const bool known = std::any_of(collected.begin(), collected.end(), [&aggregate](const auto& one) {
    return one.recorded == aggregate.recorded_;
  });
  if (!known) collected.push_back({aggregate.recorded_, 0});
}

// Handlers may record more, and collect more aggregates, while this goes round, and move the transaction
// away.
void Transaction::publish_collected() {
  const std::size_t rounds = state("commit").hooks->max_depth();
  for (std::size_t round = 0; round <= rounds; ++round) {
    bool published = false;
    for (std::size_t index = 0; index < state("commit").collected.size(); ++index) {
      const std::shared_ptr<detail::RecordedEvents> recorded = state_->collected[index].recorded;
      const std::size_t until = recorded->events.size();
      while (state("commit").collected[index].published < std::min(until, recorded->events.size())) {
        recorded->events[state_->collected[index].published++](*this);
        published = true;
      }
    }
    if (!published) return;
  }
  throw UsageError{"commit", "handlers make the collected aggregates record events without end",
                   "look for events that cause one another in a circle, or raise Options::max_event_depth"};
}

void Transaction::commit() {
  if (open() && state_->handling->depth > 0) {
    throw UsageError{"commit", "called from a handler of an event", "leave it to who began the transaction"};
  }
  try {
    state("commit");
    publish_collected();
  } catch (...) {
    rollback();
    throw;
  }
  state("commit").writing->commit();
  // Not before: what a failed commit has published is published again by the next one.
  for (const State::Collected& one : std::exchange(state_->collected, {})) one.forget_published();
}

void Transaction::rollback() noexcept {
  // Also what SQLite has rolled back after an error: others wait for its end.
  if (state_) state_->writing->rollback();
}

}  // namespace satchel
