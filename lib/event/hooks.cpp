// SPDX-License-Identifier: MIT
#include "event/hooks.hpp"

#include <satchel/error.hpp>
#include <satchel/event.hpp>

#include <fmt/format.h>

#include <utility>

namespace satchel::event {

namespace {

// Counts up for as long as it lives.
class Within {
 public:
  explicit Within(std::size_t& depth) noexcept : depth_{depth} { ++depth_; }
  ~Within() { --depth_; }
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;

 private:
  std::size_t& depth_;
};

// Of this thread, over all outboxes: what is bounded is the thread's stack.
thread_local std::size_t dispatch_depth = 0;
thread_local std::size_t propagator_depth = 0;

template <class List, class Item>
std::shared_ptr<const List> extended(const std::shared_ptr<const List>& list, Item item) {
  auto longer = list ? std::make_shared<List>(*list) : std::make_shared<List>();
  longer->push_back(std::move(item));
  return longer;
}

}  // namespace

std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

void Hooks::add_propagator(HeaderPropagator propagator) {
  if (!propagator) throw UsageError{"add_propagator", "an empty function", "pass one that can be called"};
  const Lock lock{mutex_};
  propagators_ = extended(propagators_, std::move(propagator));
}

void Hooks::add_handler(std::type_index type, EventHandler handler) {
  const Lock lock{mutex_};
  auto& list = handlers_[type];
  list = extended(list, std::move(handler));
}

std::optional<Message> Hooks::propagated(const Message& message) const {
  std::shared_ptr<const Propagators> propagators;
  {
    const Lock lock{mutex_};
    propagators = propagators_;
  }
  if (!propagators) return std::nullopt;
  if (propagator_depth > 0) {
    throw UsageError{"enqueue", "called from a header propagator", "a propagator only adds headers"};
  }
  const Within within{propagator_depth};
  Message complete = message;
  try {
    for (const HeaderPropagator& propagator : *propagators) propagator(complete.headers);
  } catch (...) {
    std::throw_with_nested(PropagatorError{
        "enqueue", fmt::format("a header propagator failed: {}", text_of(std::current_exception())),
        "the message was not added"});
  }
  return complete;
}

void Hooks::dispatch(const detail::AnyEvent& event, Transaction* transaction) const {
  std::shared_ptr<const Handlers> handlers;
  {
    const Lock lock{mutex_};
    const auto found = handlers_.find(event.type);
    if (found == handlers_.end()) return;
    handlers = found->second;
  }
  if (dispatch_depth >= max_depth_) {
    throw UsageError{"publish",
                     fmt::format("the event '{}' is published {} handlers deep", event.name, dispatch_depth),
                     "look for handlers that publish in a circle, or raise Options::max_event_depth"};
  }
  const Within within{dispatch_depth};
  for (const EventHandler& handler : *handlers) {
    handler(event.event, transaction);
    if (transaction != nullptr && !transaction->open()) {
      throw UsageError{"publish", fmt::format("a handler of '{}' ended the transaction", event.name),
                       "leave commit and rollback to who began it; to undo, throw"};
    }
  }
}

}  // namespace satchel::event
