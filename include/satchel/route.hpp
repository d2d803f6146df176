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
/// priority. Messages of one key keep their order in any case. All but `oldest_first` begin anew each time
/// that the route comes up: with what is newest then, passing over the rows of other routes once more.
enum class Drain : std::uint8_t {
  oldest_first,
  newest_first,  ///< what is new first, then what waits from the newest back to the oldest
  interleaved,   ///< what is new and what waits, the oldest first, take turns
};

/// Bytes that a route may send in a period.
struct DataBudget {
  /// After which the count begins anew.
  enum class Period : std::uint8_t { day, month };
  /// Topic, payload, key, content type and headers of what is handed to the sink, failed attempts included;
  /// not the protocol's own. 0: no budget. Set it below what the contract of a metered link allows.
  std::uint64_t bytes = 0;
  /// Of these, bytes that only urgent messages may use. At most `bytes`; 0: none. Set it where alarms have to
  /// get through when the rest has used its part.
  std::uint64_t urgent_reserve = 0;
  /// By the wall clock, in UTC. While it is not trusted, a day is 24 hours and a month 30 days since the last
  /// change that is known. The period of the contract, or a day, so that no one day can use a month's bytes.
  Period period = Period::month;
};

/// A time of day, in UTC, in which a route sends urgent messages only. Needs a trusted wall clock: without
/// one no hour is quiet.
struct QuietHours {
  std::chrono::minutes from{0};  ///< since midnight, 0 to 24 h
  std::chrono::minutes to{0};    ///< the same; before `from`: past midnight
};

/// One way out of an outbox: which messages take it, and how fast. Checked at `attach`, which throws
/// `InvalidOption`.
struct RouteOptions {
  /// For `Outbox::pause`, `Status` and what the file keeps about it; unique in an outbox, 1 to 64 letters,
  /// digits, `-`, `_`. Empty: `route-1` and so on, in the order of `attach`. Set it with several routes, so
  /// that what is kept stays with the route when their order changes.
  std::string name{};
  /// MQTT topic filters, 1 to 1000. A message takes the first route, in the order of `attach`, of which one
  /// matches. Messages that no route takes stay pending. By default it takes all: other than in MQTT, the
  /// filter `#` of a route takes topics that begin with `$`, too.
  std::vector<std::string> topics{"#"};

  /// Deliveries that may be with this sink at once. 0: `Options::window`; otherwise 1 to 65,535. Set it where
  /// routes have different round trips, or copies cost more on one.
  std::size_t window = 0;
  /// The same in bytes. 0: `Options::window_bytes`; otherwise 1 to 1 GiB. Less for a slow link.
  std::size_t window_bytes = 0;

  /// Most messages a second, on average; one second's worth may go at once. 0: no limit; otherwise 0.001 to
  /// 1,000,000. Set it below what the peer allows a client.
  double messages_per_second = 0;
  /// Most bytes a second, likewise, of what `DataBudget` counts. 0: no limit; otherwise 1 to 1e10. Set it
  /// where others share the link.
  double bytes_per_second = 0;

  /// Bytes a day or month. None by default; set it for a metered link.
  DataBudget budget{};
  /// Times of day for urgent messages only. At most 100; none by default. For links that are needed or dear
  /// then.
  std::vector<QuietHours> quiet{};

  /// The order after an outage. `newest_first` where a present value is worth more than history,
  /// `interleaved` where both have to move.
  Drain drain = Drain::oldest_first;

  /// Numbers the messages of this route 1, 2, 3 ... at enqueue and sends the number along
  /// (`satchel-sequence`), so that its receiver, which does not see the ids of other routes, notices gaps. A
  /// dead letter is one until it is replayed.
  /// Costs about a page more for each transaction. Attach the route before the first enqueue: only messages
  /// that are enqueued in the process that attached the routes have a number, not those of another process
  /// (`satchel send`, a `Writer` there) or of plain SQL. Set it where the receiver sees one route of several.
  bool sequence = false;

  /// Begins paused: the sink is not connected, and nothing is sent, before `Outbox::resume`. Set it where the
  /// application decides when the link may be used.
  bool paused = false;
};

}  // namespace satchel

#pragma GCC visibility pop
