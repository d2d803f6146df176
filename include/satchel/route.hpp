// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// In which order the messages of a route go that wait after an outage or a start, among those of one
/// priority. Messages of one key keep their order in any case.
enum class Drain : std::uint8_t {
  oldest_first,
  newest_first,  ///< what is new first, then what waits from the newest back to the oldest
  interleaved,   ///< what is new and what waits, the oldest first, take turns
};

/// Bytes that a route may send in a period.
struct DataBudget {
  enum class Period : std::uint8_t { day, month };
  /// Topic, payload, key, content type and headers of what is handed to the sink, failed attempts included;
  /// not the protocol's own. 0: no budget.
  std::uint64_t bytes = 0;
  /// Of these, bytes that only urgent messages may use. At most `bytes`.
  std::uint64_t urgent_reserve = 0;
  /// By the wall clock, in UTC. While it is not trusted, a day is 24 hours and a month 30 days since the last
  /// change that is known.
  Period period = Period::month;
};

/// A time of day, in UTC, in which a route sends urgent messages only. Needs a trusted wall clock: without
/// one no hour is quiet.
struct QuietHours {
  std::chrono::minutes from{0};  ///< since midnight, 0 to 24 h
  std::chrono::minutes to{0};    ///< the same; before `from`: past midnight
};

/// One way out of an outbox: which messages take it, and how fast.
struct RouteOptions {
  /// For `Outbox::pause`, `Status` and what the file keeps about it; unique in an outbox, 1 to 64 letters,
  /// digits, `-`, `_`. Empty: `route-1` and so on, in the order of `attach`.
  std::string name{};
  /// MQTT topic filters. A message takes the first route, in the order of `attach`, of which one matches.
  /// Messages that no route takes stay pending.
  std::vector<std::string> topics{"#"};

  std::size_t window = 0;        ///< 0: `Options::window`; otherwise 1 to 65,535
  std::size_t window_bytes = 0;  ///< 0: `Options::window_bytes`; otherwise 1 to 1 GiB

  /// Most messages and bytes a second, on average; one second's worth may go at once. 0: no limit.
  double messages_per_second = 0;  ///< 0, or 0.001 to 1,000,000
  double bytes_per_second = 0;     ///< 0, or 1 to 1e10

  DataBudget budget{};
  std::vector<QuietHours> quiet{};  ///< at most 100

  Drain drain = Drain::oldest_first;

  /// Numbers the messages of this route 1, 2, 3 ... at enqueue and sends the number along
  /// (`satchel-sequence`), so that its receiver, which does not see the ids of other routes, notices gaps.
  /// Costs about a page more for each transaction. Attach the route before the first enqueue; messages that
  /// plain SQL inserts have no number.
  bool sequence = false;

  /// The sink is used, but nothing is sent before `Outbox::resume`.
  bool paused = false;
};

}  // namespace satchel

#pragma GCC visibility pop
