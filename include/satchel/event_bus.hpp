// SPDX-License-Identifier: MIT
//
// The seam between an application and the way its events take. Code that publishes gets an `EventPublisher`
// and does not know the way; the program chooses it in one line:
//
//     satchel::OutboxEventBus bus{outbox};                                    // with an outbox
//     satchel::DirectEventBus bus{satchel::MqttSink{{.host = "localhost"}}};  // without one
//
//     satchel::EventPublisher events{bus};
//     events.publish(LineStopped{.line = "boiler"});
#pragma once

#include <satchel/event.hpp>
#include <satchel/message.hpp>
#include <satchel/outbox.hpp>
#include <satchel/sink.hpp>
#include <satchel/transaction.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <typeindex>
#include <utility>

#pragma GCC visibility push(default)

namespace satchel {

/// Port: the way that published events take. All methods may be called from any thread at once.
class EventBus {
 public:
  virtual ~EventBus() = default;

  /// Takes over the message of an integration event. Throws what the bus throws when it cannot.
  virtual MessageId send(const Message& message) = 0;

  /// Calls the handlers of a domain event on this thread, in the order of their subscription; lets out what
  /// they throw.
  virtual void dispatch(const detail::AnyEvent& event) = 0;

  /// Adds a handler; it is called with no transaction, or with the one in which the event was published.
  virtual void add_handler(std::type_index type, EventHandler handler) = 0;

  /// Adds a header propagator, see `Outbox::add_propagator`.
  virtual void add_propagator(HeaderPropagator propagator) = 0;
};

/// By way of an outbox: an event commits together with the rows of the transaction that its thread has open
/// on this outbox, or in a transaction of its own, and is delivered later. Handlers and propagators are the
/// outbox's own. The outbox has to outlive it.
class OutboxEventBus final : public EventBus {
 public:
  /// The outbox outlives the bus.
  explicit OutboxEventBus(Outbox& outbox) noexcept : outbox_{outbox} {}

  MessageId send(const Message& message) override { return outbox_.enqueue(message); }
  void dispatch(const detail::AnyEvent& event) override { detail::EventAccess::dispatch(outbox_, event); }
  void add_handler(std::type_index type, EventHandler handler) override {
    detail::EventAccess::add_handler(outbox_, type, std::move(handler));
  }
  void add_propagator(HeaderPropagator propagator) override { outbox_.add_propagator(std::move(propagator)); }

 private:
  Outbox& outbox_;
};

/// Straight to a sink: an event is on the first hop when `publish` returns, and lost when it throws. Nothing
/// is kept, nothing is tried again, and a rollback does not take back what was sent: that is what an outbox
/// is for.
class DirectEventBus final : public EventBus {
 public:
  /// How long `send` may take at most, connecting included.
  static constexpr std::chrono::milliseconds kTimeout{5000};

  /// Takes over the sink; a publish waits for its receipt, `timeout` at most. Throws `InvalidOption`.
  explicit DirectEventBus(std::unique_ptr<Sink> sink, std::chrono::milliseconds timeout = kTimeout,
                          const Options& limits = {});

  /// The same with a sink by value.
  template <std::derived_from<Sink> S>
  explicit DirectEventBus(S sink, std::chrono::milliseconds timeout = kTimeout, const Options& limits = {})
      : DirectEventBus{std::unique_ptr<Sink>{std::make_unique<S>(std::move(sink))}, timeout, limits} {}

  /// Stops the sink, within the timeout. No other thread may be in a call.
  ~DirectEventBus() override;
  DirectEventBus(const DirectEventBus&) = delete;
  DirectEventBus& operator=(const DirectEventBus&) = delete;

  /// Returns when the first hop has the message. Throws `InvalidMessage`; `PropagatorError`; `DeliveryFailed`
  /// when the sink refused it, is down, or has not answered in time: then it may have arrived.
  MessageId send(const Message& message) override;
  void dispatch(const detail::AnyEvent& event) override;
  void add_handler(std::type_index type, EventHandler handler) override;
  void add_propagator(HeaderPropagator propagator) override;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

/// What application code publishes through. As cheap to copy as a reference, which it is: the bus has to
/// outlive it.
class EventPublisher {
 public:
  /// The bus outlives it.
  explicit EventPublisher(EventBus& bus) noexcept : bus_{&bus} {}

  /// Hands an integration event to the bus and returns the id of its message, or a domain event to its
  /// handlers.
  template <class E>
  auto publish(const E& event) const {
    detail::check_event<E>();
    if constexpr (ADomainEvent<E>) {
      bus_->dispatch(detail::any_event(event));
    } else if constexpr (AnIntegrationEvent<E>) {
      return bus_->send(to_message(event));
    }
  }

  /// Calls `handler(event)` for every domain event of this type that is published through the bus.
  template <class E, class Handler>
  void subscribe(Handler handler) const {
    detail::check_event<E>();
    static_assert(ADomainEvent<E>,
                  "an integration event becomes a message; only a domain event has handlers");
    static_assert(std::invocable<Handler&, const E&>,
                  "a handler takes (const E&): a bus need not have transactions");
    bus_->add_handler(typeid(E), [handler = std::move(handler)](const void* event, Transaction*) mutable {
      handler(*static_cast<const E*>(event));
    });
  }

 private:
  EventBus* bus_;
};

}  // namespace satchel

#pragma GCC visibility pop
