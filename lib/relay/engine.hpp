// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/error.hpp>

#include "relay/relay.hpp"
#include "relay/route_relay.hpp"
#include "relay/routing.hpp"
#include "relay/shared.hpp"
#include "relay/trouble.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace satchel::relay {

/// What concerns all routes of a relay: its rounds, the claim, what is recorded, and what is noted before a
/// hand-over. What a route sends is the business of its `RouteRelay`.
class Relay::Engine {
 public:
  Engine(const Options& options, const Ports& ports, std::function<void()> wake, std::uint64_t seed);
  ~Engine();

  bool step() noexcept;
  std::optional<BootTime> next_step() const;
  bool backs_off() const noexcept { return trouble_.until() && shared_.now < *trouble_.until(); }
  void let_ride(bool allowed) noexcept { may_ride_ = allowed; }
  void drain() noexcept { shared_.draining = true; }
  bool drained() const noexcept;
  void finish(milliseconds timeout) noexcept;
  void pause(std::size_t route, bool paused) noexcept;
  std::uint64_t states() const noexcept;
  Snapshot snapshot() const;

 private:
  /// Set by the storage from any thread; outlives the engine, because a last call may come late.
  struct Signal {
    std::atomic<bool> changed{true};
    std::function<void()> wake;
  };

  // engine.cpp: rounds
  void round();
  bool take_inboxes();
  void stop_sinks(milliseconds timeout) noexcept;
  void record_the_rest(BootTime deadline) noexcept;
  void publish();
  void forget_changes() noexcept;
  template <typename Call>
  void guarded(const Call& call) noexcept;

  // engine_claim.cpp: becoming and ceasing to be the relay
  bool lead();
  void take_up(const Recovery& recovery);
  void examine_suspects(const Recovery& recovery);
  void look_at_dead_keys();
  void follow_rescans();
  void lose_claim(const std::string& problem) noexcept;
  void start_over() noexcept;
  void forget_everything() noexcept;

  // engine_send.cpp: hand-over
  void release_due(const Look& look);
  bool hand_over();
  bool serve(RouteRelay& route);
  bool waits_for_another(const RouteRelay& route) const noexcept;
  std::vector<std::int64_t> note(const RouteRelay& route, const std::vector<Loaded>& batch);
  InFlight suspects_to_note() const;
  void correct_note();
  std::size_t in_flight() const noexcept;

  // engine_settle.cpp: recording
  void let_outcomes_ride();
  void settle();
  bool settle_due() const;
  bool rides() const;
  bool lingers() const;
  BootTime settle_at() const;
  bool settle_once();

  // Constant after construction:
  const std::shared_ptr<Signal> signal_;
  const Routing routing_;

  // The relay's thread only; the routes' `pause` apart:
  Shared shared_;
  Trouble trouble_;
  std::vector<std::unique_ptr<RouteRelay>> routes_;
  std::optional<BootTime> look_next_;
  std::optional<BootTime> acquire_at_;
  /// What the storage told at the acquisition, until it is taken up: it tells it only once.
  std::optional<Recovery> recovery_;
  /// The route that is served first in the next round.
  std::size_t turn_ = 0;
  bool finished_ = false;
  bool may_ride_ = false;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  Snapshot published_{};
};

/// Runs a part of a round. A failure of the storage becomes the sticky failure. After anything else, such as
/// a lack of memory, nobody knows what the state in memory is worth: it is dropped.
template <typename Call>
void Relay::Engine::guarded(const Call& call) noexcept {
  try {
    try {
      call();
    } catch (const ClaimLost& lost) {
      lose_claim(lost.problem());
    } catch (const Error& error) {
      trouble_.failed(error.operation() + ": " + error.problem(), error.hint(), shared_.now);
    } catch (const std::exception& error) {
      start_over();
      trouble_.failed(std::string{"relay: "} + error.what(), "the relay starts over by itself", shared_.now);
    }
  } catch (...) {
    start_over();
  }
}

}  // namespace satchel::relay
