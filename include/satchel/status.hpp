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

enum class SinkState : std::uint8_t {
  none,        ///< no sink attached, or the relay is not running
  connecting,  ///< asked to become usable, no answer yet
  up,          ///< takes messages
  paused,      ///< down; a probe follows by itself
  blocked,     ///< needs somebody: credentials, rights, configuration; a slow probe follows by itself
};

/// A failure that stops the relay until its cause goes away.
struct BackgroundFailure {
  std::string problem;
  std::string hint;
  BootTime since;
};

/// A look at one route. Counters count since the relay was started.
struct RouteStatus {
  std::string name;
  SinkState sink = SinkState::none;
  /// Last trouble with the sink, empty once it is up again.
  std::string sink_problem;
  /// By `Outbox::pause` or `RouteOptions::paused`.
  bool paused = false;
  /// Nothing but urgent messages is sent, or nothing at all: because of a budget or of quiet hours.
  bool held_back = false;
  std::uint64_t in_flight = 0;
  std::uint64_t delivered = 0;
  /// Bytes that `DataBudget` counts in the current period; 0 without a budget.
  std::uint64_t budget_used = 0;
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
  DropReason reason = DropReason::expired;
  /// Of the first 200 topics that something was dropped of; empty: all others together.
  std::string topic;
  std::uint64_t messages = 0;
  /// Of these, such that may have been with a sink at the time, and may have arrived: the relay ran in
  /// another process, or had died.
  std::uint64_t unconfirmed = 0;
};

/// A look at an outbox. Counters without another remark count since this object was opened.
struct Status {
  /// Messages committed and not yet recorded as delivered, dead or expired. Exact up to 100,000; above that
  /// the span of their ids, an upper bound (`pending_is_bound`), because counting would read them all.
  std::uint64_t pending = 0;
  bool pending_is_bound = false;
  std::uint64_t in_flight = 0;
  /// Received and not yet recorded.
  std::uint64_t unsettled = 0;
  std::uint64_t delivered = 0;
  std::uint64_t retried = 0;
  std::uint64_t expired = 0;
  /// Messages that `enqueue_async` gave up because its queue was full (`AsyncFull::drop`).
  std::uint64_t async_dropped = 0;
  /// Dead letters in the file.
  std::uint64_t dead = 0;

  /// This outbox is the relay of the file; otherwise it stands by or has not been started.
  bool leading = false;
  bool running = false;
  SinkState sink = SinkState::none;
  /// Last trouble with the sink, empty once it is up again.
  std::string sink_problem;
  std::optional<BackgroundFailure> failure;
  /// In the order of `attach`. The sink's state above is the first route's that is not up, or up.
  std::vector<RouteStatus> routes;
  /// Highest row id enqueued in this file, dead and delivered ones included.
  std::int64_t newest_row = 0;
};

/// A message that was given up, with its history.
struct DeadLetter {
  MessageId id;
  Message message;
  DeadReason reason = DeadReason::rejected;
  int attempts = 0;
  std::string first_error;
  std::string last_error;
  std::optional<WallTime> created;
  /// When it was given up; nothing while the wall clock has not been trusted since then.
  std::optional<WallTime> died;
};

std::string_view to_string(SinkState state) noexcept;
std::string_view to_string(DeadReason reason) noexcept;
std::string_view to_string(DropReason reason) noexcept;

}  // namespace satchel

#pragma GCC visibility pop
