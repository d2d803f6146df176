// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>
#include <satchel/storage.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// How a sink is, as the relay sees it.
enum class SinkState : std::uint8_t {
  none,        ///< no sink attached, the relay does not run or stands by, or the route is paused
  connecting,  ///< asked to become usable, no answer yet
  up,          ///< takes messages
  down,        ///< takes nothing; a probe follows by itself
  blocked,     ///< needs somebody: credentials, rights, configuration; a slow probe follows by itself
};

/// A failure that stops the relay until its cause goes away.
struct BackgroundFailure {
  std::string problem;  ///< what is wrong
  std::string hint;     ///< what to do about it
  BootTime since;       ///< when it began
};

/// What of a route's limits keeps messages from being sent.
enum class HeldBy : std::uint8_t {
  nothing,
  rate,    ///< `RouteOptions::messages_per_second` or `bytes_per_second`: it goes on in a moment
  quiet,   ///< `RouteOptions::quiet`; urgent messages are sent
  budget,  ///< `RouteOptions::budget` is used up; urgent messages are sent as far as its reserve goes
};

/// A look at one route. Counters count since the relay was started.
struct RouteStatus {
  std::string name;                  ///< as in `RouteOptions::name`
  SinkState sink = SinkState::none;  ///< how its sink is
  /// Last trouble with the sink, empty once it is up again or disconnected by a pause; while it is up, the
  /// topic that the peer refused last (`topic <name>: <reason>`), until it takes all of them.
  std::string sink_problem;
  /// By `Outbox::pause` or `RouteOptions::paused`.
  bool paused = false;
  /// Nothing but urgent messages is sent, or nothing at all: because of a budget or of quiet hours.
  bool held_back = false;
  std::uint64_t in_flight = 0;  ///< messages with its sink
  std::uint64_t delivered = 0;  ///< messages whose deliveries are recorded
  /// Bytes that `DataBudget` counts in the current period; 0 without a budget.
  std::uint64_t budget_used = 0;
  /// Messages that wait and take this route. Exact while no more than 10,000 messages wait; with more of them
  /// it counts those of the oldest 10,000, a lower bound (`pending_is_bound`). Where the first route takes
  /// all it has what `Status::pending` says: exact up to 100,000, above that an upper bound.
  std::uint64_t pending = 0;
  /// Not exactly so many, but at least; at most where the first route takes all.
  bool pending_is_bound = false;
  /// What to do about `sink_problem`; empty with it.
  std::string sink_remedy;
  /// As the sink calls itself (`Sink::name`); empty before it was asked for the first time.
  std::string sink_name;
  /// Why messages wait though the sink is up: `held_back`, and the rate.
  HeldBy held_by = HeldBy::nothing;
  /// When more may be sent by then; nothing: it is not held, or that is not known yet.
  std::optional<BootTime> held_until;
};

/// Why a message was dropped. The values are part of the file format.
enum class DropReason : std::uint8_t {
  expired = 1,    ///< `Message::expires_after` had passed
  quota = 2,      ///< it made room for others, or found none (`WhenFull`)
  coalesced = 3,  ///< a newer message of its key took its place
  discarded = 4,  ///< by `Outbox::discard`
};

/// Messages that were dropped since the file was made.
struct Dropped {
  DropReason reason = DropReason::expired;  ///< why they were dropped
  /// Of the first 200 topics that something was dropped of; empty: all others together.
  std::string topic;
  std::uint64_t messages = 0;  ///< how many
  /// Of these, such that may have been with a sink at the time, and may have arrived: the relay ran in
  /// another process, or had died.
  std::uint64_t unconfirmed = 0;
};

/// The messages that were dropped since the file was made, of all topics, by the reasons of `DropReason`.
struct DroppedByReason {
  std::uint64_t expired = 0;    ///< `DropReason::expired`
  std::uint64_t quota = 0;      ///< `DropReason::quota`
  std::uint64_t coalesced = 0;  ///< `DropReason::coalesced`
  std::uint64_t discarded = 0;  ///< `DropReason::discarded`
};

/// What outboxes have written to the storage device, as far as they know. Counted are the pages that their
/// connections put into the write-ahead log, those that their checkpoints copied into the database, and the
/// syncs of both; of all outboxes of this process on the file. Not counted are connections of the
/// application's own (`Writer`), other processes, `<file>-relay`, and what file system and flash add.
struct Wear {
  std::uint64_t bytes = 0;  ///< written
  std::uint64_t syncs = 0;  ///< fsync and its kin
  /// The time in which that was counted: since this object was opened.
  std::chrono::milliseconds over{0};
  /// At that rate in 24 hours; 0 during the first second.
  std::uint64_t bytes_per_day = 0;
  std::uint64_t syncs_per_day = 0;  ///< likewise
};

/// What is left of `Quota`; nothing where there is no such limit.
struct QuotaLeft {
  std::optional<std::uint64_t> messages;  ///< that may still be enqueued
  std::optional<std::uint64_t> bytes;     ///< likewise, as `Quota::bytes` counts them
};

/// A look at an outbox. Counters without another remark count since this object was opened. Taking one reads
/// no more of the file with a large backlog than with a small one, and does not wait for writers or the
/// relay.
struct Status {
  /// Messages committed and not yet recorded as delivered, dead or expired. Exact up to 100,000; above that
  /// the span of their ids, an upper bound (`pending_is_bound`), because counting would read them all.
  std::uint64_t pending = 0;
  bool pending_is_bound = false;  ///< so many at most, not exactly
  std::uint64_t in_flight = 0;    ///< messages with a sink
  /// Received and not yet recorded.
  std::uint64_t unsettled = 0;
  std::uint64_t delivered = 0;  ///< messages
  std::uint64_t retried = 0;    ///< failed attempts that were counted
  /// Messages that the relay found expired. Those that an enqueue dropped for want of room are in `dropped`.
  std::uint64_t expired = 0;
  /// Messages that `enqueue_async` gave up because its queue was full (`AsyncFull::drop`).
  std::uint64_t async_dropped = 0;
  /// Dead letters in the file; more than 100,000 are not counted.
  std::uint64_t dead = 0;

  /// This outbox is the relay of the file; otherwise it stands by or has not been started.
  bool leading = false;
  bool running = false;              ///< the relay thread runs
  SinkState sink = SinkState::none;  ///< the state of the first route whose sink is not up, or up
  /// `RouteStatus::sink_problem` of that route; of the first, when all sinks are up. So what another one
  /// refuses is in `routes` alone.
  std::string sink_problem;
  std::optional<BackgroundFailure> failure;  ///< nothing while the relay can work
  /// In the order of `attach`. The sink's state above is the first route's that is not up, or up.
  std::vector<RouteStatus> routes;
  /// Highest row id enqueued in this file, dead and delivered ones included.
  std::int64_t newest_row = 0;

  // ---- what waits ----

  /// Of the messages that wait, at most 100,000 of each are counted.
  std::uint64_t urgent = 0;
  std::uint64_t bulk = 0;     ///< counted likewise
  std::uint64_t delayed = 0;  ///< their `not_before` is not over
  std::uint64_t failing = 0;  ///< have failed before and will be tried again
  /// Since the oldest of them was enqueued, as far as the clocks are known; nothing when none waits, and for
  /// a plain INSERT and one of an earlier boot whose wall clock was never trusted.
  std::optional<std::chrono::milliseconds> oldest_age;

  // ---- what was done ----

  /// Became dead letters since the relay was started.
  std::uint64_t died = 0;
  DroppedByReason dropped;  ///< since the file was made
  /// Topic, payload, key, content type and headers of the messages that were delivered.
  std::uint64_t delivered_bytes = 0;
  /// Deliveries recorded in the last ten seconds, divided by ten.
  double messages_per_second = 0;
  double bytes_per_second = 0;  ///< likewise, of what `delivered_bytes` counts

  // ---- how it is ----

  /// What to do about `sink_problem`; empty with it.
  std::string sink_remedy;
  Wear wear;  ///< what was written to the storage device
  /// Length of the write-ahead log's file, with what is in the database already. The file is kept and written
  /// again from its beginning, and then cut to twice `Options::checkpoint_bytes` if it is longer; with
  /// `Options::reserve`, to what was reserved.
  std::uint64_t wal_bytes = 0;
  std::uint64_t device_bytes = 0;  ///< that this user could still write to the file system
  QuotaLeft quota_left;            ///< what `Quota` still allows
  /// How long ago the relay began its last round; nothing before the first. An idle relay makes none: see
  /// `round_overdue`.
  std::optional<std::chrono::milliseconds> heartbeat;
  /// For how long the relay has not come back from a round, or has not begun one that was due: in a relay
  /// that works it is well under a second. 0: it is on time, waits for an event, or does not run.
  std::chrono::milliseconds round_overdue{0};
};

/// A message that was given up, with its history.
struct DeadLetter {
  MessageId id;                              ///< the one under which it was enqueued
  Message message;                           ///< as it was enqueued
  DeadReason reason = DeadReason::rejected;  ///< why it was given up
  int attempts = 0;                          ///< failed attempts that were counted
  std::string first_error;                   ///< what the first of them ended with
  std::string last_error;                    ///< what the last of them ended with
  std::optional<WallTime>
      created;  ///< when it was enqueued; nothing while the wall clock has not been trusted since then
  /// When it was given up; nothing while the wall clock has not been trusted since then.
  std::optional<WallTime> died;
};

/// What somebody can do about a sink in this state; empty when there is nothing to do.
std::string_view remedy_of(SinkState state) noexcept;

std::string_view to_string(SinkState state) noexcept;    ///< as in logs: `up`
std::string_view to_string(HeldBy limit) noexcept;       ///< likewise: `quiet`
std::string_view to_string(DeadReason reason) noexcept;  ///< likewise: `rejected`
std::string_view to_string(DropReason reason) noexcept;  ///< likewise: `quota`

}  // namespace satchel

#pragma GCC visibility pop
