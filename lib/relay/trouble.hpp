// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/observer.hpp>
#include <satchel/status.hpp>

#include "relay/policy.hpp"

#include <optional>
#include <string>

namespace satchel::relay {

/// What keeps the relay from working: sticky until a whole round went well again, told once, retried with a
/// backoff.
class Trouble {
 public:
  Trouble(Observer& observer, Jitter& jitter) noexcept : observer_{observer}, jitter_{jitter} {}

  void failed(const std::string& problem, const std::string& hint, BootTime now);
  void passed();

  const std::optional<BackgroundFailure>& failure() const noexcept { return failure_; }
  /// Failures in a row.
  int times() const noexcept { return times_; }
  /// Not to be tried again before; nothing: no trouble.
  std::optional<BootTime> until() const noexcept { return until_; }

 private:
  Observer& observer_;
  Jitter& jitter_;
  std::optional<BackgroundFailure> failure_;
  std::optional<BootTime> until_;
  int times_ = 0;
};

}  // namespace satchel::relay
