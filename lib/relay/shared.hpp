// SPDX-License-Identifier: MIT
#pragma once

#include "relay/dead_keys.hpp"
#include "relay/outcomes.hpp"
#include "relay/policy.hpp"
#include "relay/relay.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>

namespace satchel::relay {

/// What all routes of a relay work with. Confined to the relay's thread.
struct Shared {
  /// What the relay remembers while it leads, apart from its routes; all of it ends with the claim.
  struct Lead {
    Outcomes outcomes{};
    DeadKeys dead_keys{};
    std::uint64_t rescans = 0;
    /// Before that no message is sent that may end the process.
    BootTime quiet_until{};
    /// In flight when the last relay's process died, and not cleared of that yet.
    std::set<std::int64_t> crash_suspects{};
    /// A batch is divided by it: more than 1 after the storage had no room for all at once.
    std::size_t settle_share = 1;
    /// Something waits for the outcomes to be recorded, or there is no more company to come for them.
    bool settle_now = false;
    /// The storage was occupied at the last try.
    bool occupied = false;
    /// Commits of the application come by that deliveries may ride in.
    bool ride_near = false;
    /// The storage's note of what is in flight names messages that came back and are still pending.
    bool note_is_stale = false;
  };

  // Constant after construction:
  const Options options;
  Storage& storage;
  Clock& clock;
  Observer& observer;
  const std::size_t routes;

  // By what happens:
  Jitter jitter;
  BootTime now{};
  std::unique_ptr<Lead> lead{};
  /// The last claim number that was given to a delivery.
  std::uint64_t claims = 0;
  bool draining = false;
  bool progress = false;
  Snapshot counters{};
};

}  // namespace satchel::relay
