// SPDX-License-Identifier: MIT
#pragma once

#include "relay/meter.hpp"

#include <satchel/clock.hpp>
#include <satchel/observer.hpp>
#include <satchel/options.hpp>
#include <satchel/route.hpp>
#include <satchel/sink.hpp>
#include <satchel/status.hpp>
#include <satchel/storage.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace satchel::relay {

/// A look at a relay. Counters count since it was made.
struct Snapshot {
  std::uint64_t in_flight = 0;
  /// Outcomes that wait to be recorded.
  std::uint64_t unsettled = 0;
  std::uint64_t delivered = 0;
  std::uint64_t retried = 0;
  std::uint64_t expired = 0;
  std::uint64_t died = 0;
  /// Of the delivered ones: what they weigh in the window.
  std::uint64_t delivered_bytes = 0;
  Meter meter{};
  /// Receipts for deliveries that nobody waits for: late ones, or a defect of the sink.
  std::uint64_t ignored = 0;
  bool leading = false;
  /// Of the first route that is not up, or of the first.
  SinkState sink = SinkState::none;
  std::string sink_problem{};
  std::vector<RouteStatus> routes{};
  std::optional<BackgroundFailure> failure{};

  // How much is remembered: all bounded by options, for tests and curious operators.
  std::uint64_t retrying = 0;
  std::uint64_t keys = 0;
  std::uint64_t read_ahead = 0;
  std::uint64_t held_topics = 0;
  std::uint64_t dead_keys = 0;
};

/// The relay without its thread: decides what is sent when, and what becomes of it. It knows the ports alone.
/// Every call makes what is due and returns at once; whoever drives it waits for the wake, the storage's
/// descriptor or `next_step`.
///
/// Confined to one thread at a time, except `pause` and `snapshot`. The wake function is called from any
/// thread.
class Relay {
 public:
  /// A route and where it leads.
  struct Way {
    Sink& sink;
    RouteOptions options{};
  };

  /// They outlive the relay.
  struct Ports {
    Ports(Storage& storage_port, Clock& clock_port, Observer& observer_port, std::vector<Way> ways)
        : storage{storage_port}, clock{clock_port}, observer{observer_port}, routes{std::move(ways)} {}
    /// One route for all messages.
    Ports(Storage& storage_port, Sink& sink, Clock& clock_port, Observer& observer_port)
        : Ports{storage_port, clock_port, observer_port, {Way{sink}}} {}

    Storage& storage;
    Clock& clock;
    Observer& observer;
    /// At least one. A message takes the first of which a filter matches.
    std::vector<Way> routes;
  };

  /// `options` and those of the routes are valid. `wake` is thread-safe, cheap and outlives nothing: it may
  /// be called late. `seed` spreads backoffs.
  Relay(const Options& options, const Ports& ports, std::function<void()> wake, std::uint64_t seed);

  /// As a crash would leave it, `finish` was not called: the sink is cut off, the claim stays.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// One round: takes up events, records outcomes, hands over messages. Never blocks on the network, never
  /// throws. True when anything was done, so that another round may find more.
  bool step() noexcept;

  /// When to step at the latest, without a wake. Nothing: only events matter.
  std::optional<BootTime> next_step() const;

  /// The storage has failed and is not looked at before `next_step`: what it announces has to wait.
  bool backs_off() const noexcept;

  /// Whether deliveries may wait a moment for a commit of the application that records them along with its
  /// own rows; not at first. For who goes on calling `step` until there is an end.
  void let_ride(bool allowed) noexcept;

  /// From now on nothing new is sent; what is in flight is waited for and recorded at once.
  void drain();

  /// After `drain`: everything in flight has come back and is recorded, or cannot be recorded.
  bool drained() const;

  /// Stops the sink within `timeout`, records what came back and ends the claim. What is unanswered stays
  /// pending. The relay does nothing afterwards. A second call has no effect.
  void finish(std::chrono::milliseconds timeout) noexcept;

  /// Nothing more is sent on the route of this number, from 0, or it is again: see `Outbox::pause`.
  /// Thread-safe.
  void pause(std::size_t route, bool paused) noexcept;

  /// Another number when a route is up, down or paused that was not, or a failure came or went. Of
  /// the thread that steps.
  std::uint64_t states() const noexcept;

  /// Thread-safe.
  Snapshot snapshot() const;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace satchel::relay
