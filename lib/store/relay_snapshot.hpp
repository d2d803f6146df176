// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/quota.hpp>
#include <satchel/status.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::store {

/// What a relay knows of itself, for those who look from outside.
struct RelaySnapshot {
  /// What cannot be read from `Status`.
  struct Route {
    std::int64_t since = 0;  ///< the sink is in its state; boot clock, ms
    std::vector<std::string> topics;
  };
  std::string boot_id;  ///< that the times are of
  std::int64_t process = 0;
  std::int64_t noted = 0;  ///< boot clock, ms
  /// Only what the relay knows: its counters, `wear` and `routes`.
  Status status;
  /// As many as `status.routes`.
  std::vector<Route> routes;
  /// All topics of all routes are there.
  bool topics_known = false;
  /// Limits of all messages together, and whether they are counted exactly.
  Quota quota;
};

/// As lines of text, of at most `limit` bytes: what comes last is left out, whole lines of it.
std::string encode(const RelaySnapshot& snapshot, std::size_t limit);

/// The reverse, as far as the text goes.
RelaySnapshot decode_snapshot(std::string_view text);

}  // namespace satchel::store
