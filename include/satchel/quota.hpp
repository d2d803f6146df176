// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)

namespace satchel {

/// What to do with a message that does not fit.
enum class WhenFull : std::uint8_t {
  reject,       ///< the enqueue throws `QuotaExceeded`
  drop_oldest,  ///< the oldest messages make room
  drop_newest,  ///< the new message is dropped: the enqueue returns an id whose row is 0; there is no gap in
                ///< the ids, and nothing is announced
  drop_lowest,  ///< the oldest messages of the lowest priority make room; never those of a higher one than
                ///< the new message's, which is dropped like that if there are no others; needs
                ///< `Quota::exact`
};

/// How much may wait in the file. Checked at every enqueue at a cost that does not depend on the backlog, and
/// never exceeded, after a crash neither. Messages that are with a sink are not dropped. Plain SQL of others
/// and a replay pass it by. One enqueue drops 1000 messages at most; where that is not enough, it fails.
///
/// Messages that have expired go first, whatever `when_full` says: the relay drops those of a route that is
/// up, and an enqueue that finds no room those of the others, a few at each call, from the first rows of the
/// file and from further ones in turns. Normal messages that make room behind others are found by going
/// through the rows, once for all: where millions of urgent ones are before them, one enqueue takes a second.
///
/// With `Options::announce_topic` an announcement counts as a normal message, and room is kept for it: so no
/// limit may be below 2 messages or 64 KiB. Announcements of what the relay finds expired, and further ones
/// where the identity has changed between the dropped messages, may pass the limits.
struct Quota {
  /// Limits of one priority. Need `Quota::exact`.
  struct Share {
    std::uint64_t messages = 0;  ///< that may wait; 0: no limit of its own
    std::uint64_t bytes = 0;     ///< as `Quota::bytes` counts with `exact`; 0: no limit of its own
  };

  /// Messages that may wait; 0: no limit. Without `exact` the span of their ids counts, which is more when
  /// messages in the middle are gone already: an old one that cannot be delivered makes it fill up early.
  /// Set it where receivers or memory limit how many are of use.
  std::uint64_t messages = 0;
  /// Bytes that may be used; 0: no limit. Without `exact` the pages of the file that are in use count, the
  /// application's own tables included; with it topic, payload, key, content type and headers of the
  /// messages. Set it to the part of the storage that an outage may fill.
  std::uint64_t bytes = 0;
  /// Bytes of the file system to keep free for others; 0: none. Nothing is dropped for it, since that would
  /// not give anything back: beyond it the enqueue throws `QuotaExceeded`, or drops the new message with
  /// `drop_newest` and `drop_lowest`. Set it where others need the file system.
  std::uint64_t keep_free = 0;

  /// What happens at a limit. `drop_oldest` where the newest counts, `drop_newest` where the first cause
  /// does, `drop_lowest` where priorities say it.
  WhenFull when_full = WhenFull::reject;

  /// Counts exactly, by priority, in a table that each transaction with messages and each recording of
  /// outcomes updates: about one page more of each. Switching it on counts once what is there. Set it where
  /// limits have to be met closely, or a priority has its own.
  bool exact = false;
  Share urgent{};  ///< of urgent messages; no limit of their own by default
  Share normal{};  ///< of normal ones; leave room for alarms by limiting these
  Share bulk{};    ///< of bulk ones, likewise
};

}  // namespace satchel

#pragma GCC visibility pop
