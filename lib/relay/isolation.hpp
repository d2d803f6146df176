// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

namespace satchel::relay {

/// Which messages have to be sent alone, and which of them are guilty of the breaks of the connection that
/// they were exposed to.
///
/// A suspect that breaks a connection alone is not guilty yet: the link may be bad and the message merely
/// long on the way. So it is held back, and the next connection is watched: when that one lives clearly
/// longer without the suspect than the last one lived with it, the break counts against the suspect. When it
/// breaks as well, the link is at fault, and what had been counted against the suspect is taken back. No
/// other suspect is sent during the watch. A break counts only when the sink has delivered anything since the
/// message is suspected, or when there is nothing else to deliver: a peer that breaks on every message is an
/// outage.
class Isolation {
 public:
  using Span = BootTimeTag::duration;

  /// A watched connection has to live this many times longer, and at least `kShortestWatch`.
  static constexpr int kMargin = 3;
  static constexpr Span kShortestWatch = std::chrono::seconds{1};

  /// Puts a message into the queue of those to be sent alone; no effect when it is there.
  void suspect(std::int64_t row, std::uint64_t deliveries);
  bool suspects(std::int64_t row) const { return suspects_.count(row) != 0; }
  bool queued(std::int64_t row) const noexcept;

  /// The next to be sent alone; nothing: none, or a watch is under way.
  std::optional<std::int64_t> next() const;
  /// It cannot be sent now (its topic is held): the others go first.
  void postpone(std::int64_t row);
  std::size_t waiting() const noexcept { return queue_.size(); }

  /// It leaves the queue: waits in backoff, which `suspect` ends. It stays under suspicion.
  void leave_queue(std::int64_t row);
  /// It came to its end: delivered, dead, expired.
  void acquit(std::int64_t row);

  /// The connection broke while this message alone was in flight, `lived` after it was sent: a watch begins.
  void broke(std::int64_t row, Span lived);

  bool watching() const noexcept { return watched_.has_value(); }
  /// How long a connection has to live for the watch to end.
  std::optional<Span> watch() const;

  struct Verdict {
    std::int64_t row = 0;
    /// The break counts against the message.
    bool guilty = false;
    /// Attempts counted before that are taken back.
    int taken_back = 0;
  };
  /// The watched connection broke. Only while watching.
  Verdict link_at_fault();
  /// The watched connection has lived long enough. Only while watching. `nothing_else`: no other message
  /// waits.
  Verdict link_is_sound(std::uint64_t deliveries, bool nothing_else);

 private:
  struct Suspect {
    std::uint64_t deliveries = 0;
    int counted = 0;
  };
  struct Watch {
    std::int64_t row = 0;
    Span span{};
  };

  std::deque<std::int64_t> queue_;
  std::unordered_map<std::int64_t, Suspect> suspects_;
  std::optional<Watch> watched_;
};

}  // namespace satchel::relay
