// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace satchel::relay {

/// Where a message is that the relay has taken up. One that was only read ahead is not in the ledger.
enum class Place : std::uint8_t {
  in_flight,
  again,    ///< to be read again and sent as soon as there is room
  backoff,  ///< waits for its next attempt
  alone,    ///< waits for its turn to be sent alone
  watched,  ///< held back while a connection without it is watched
  outcome,  ///< its outcome waits to be recorded
};

struct Entry {
  MessageId id{};
  std::string topic{};
  std::string key{};
  std::size_t bytes = 0;
  Place place = Place::again;
  Priority priority = Priority::normal;
  /// Its own limits of attempts and age.
  std::optional<RetryPolicy> retry{};
  int attempts = 0;
  /// Age at the last failure, and how long the sink had been up in all by then.
  std::chrono::milliseconds aged{0};
  std::chrono::milliseconds up_mark{0};
  /// Connections that broke while it was on the wire.
  int breaks = 0;
  /// The storage has it marked as a suspect.
  bool marked = false;
  /// In flight when the last relay's process died.
  bool crashed = false;
  /// Sent to find out whether its held topic is open again.
  bool trial = false;
};

/// Everything taken up, by row. Bounded by the window, the limit of messages in backoff and the limit of
/// unsettled outcomes.
using Ledger = std::unordered_map<std::int64_t, Entry>;

/// A delivery that is with the sink.
struct Flight {
  std::int64_t row = 0;
  std::size_t bytes = 0;
  BootTime sent_at{};
  std::uint64_t session = 0;
  bool alone = false;
};

}  // namespace satchel::relay
