// SPDX-License-Identifier: MIT
#pragma once

#include "relay/policy.hpp"

#include <cstdint>
#include <optional>

namespace satchel::relay {

/// The state of the way to the first hop, and when to probe it. Pure: it is told what happened and when.
class Route {
 public:
  enum class State : std::uint8_t { off, connecting, up, down, blocked };

  explicit Route(const Options& options) noexcept
      : probe_{options.probe_backoff},
        blocked_probe_{options.blocked_probe},
        stable_after_{options.stable_after} {}

  State state() const noexcept { return state_; }
  bool up() const noexcept { return state_ == State::up; }

  /// The sink is wanted: a probe is due at once.
  void want(BootTime now) noexcept;
  /// The sink is not wanted any more.
  void leave(BootTime now) noexcept;

  /// Somebody knows better than the pause: a probe is due at once.
  void hurry(BootTime now) noexcept;

  bool probe_due(BootTime now) const noexcept;
  /// The sink was asked to become usable.
  void probing(BootTime now) noexcept;
  /// Since when the sink owes an answer to a probe.
  std::optional<BootTime> asked() const noexcept;

  /// The sink answered a probe. False: nobody asked, or it was up already.
  bool rise(BootTime now) noexcept;

  /// The sink takes no messages. Returns the pause when this is news (it was up or connecting, or what looked
  /// like an outage turns out to be a block); several reports of one outage count once.
  std::optional<milliseconds> fall(const Receipt& cause, BootTime now, Jitter& jitter) noexcept;

  /// Counts the times the sink came up: tells a receipt of an earlier connection from one of this.
  std::uint64_t session() const noexcept { return session_; }
  /// Since when it is up; only while it is.
  BootTime up_since() const noexcept { return since_; }
  /// All the time in which the sink was up.
  milliseconds up_total(BootTime now) const noexcept;
  /// When the next probe is due, while down or blocked.
  std::optional<BootTime> next() const noexcept;

 private:
  void end_of_up(BootTime now) noexcept;

  Backoff probe_;
  milliseconds blocked_probe_;
  milliseconds stable_after_;

  State state_ = State::off;
  BootTime since_{};
  BootTime until_{};
  int failures_ = 0;
  std::uint64_t session_ = 0;
  BootTimeTag::duration up_before_{0};
};

}  // namespace satchel::relay
