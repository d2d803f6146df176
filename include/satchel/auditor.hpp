// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>
#include <satchel/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// Rows, or numbers of a sequence, from `first` to `last`, both included.
struct AuditRange {
  std::int64_t first = 0;  ///< the lowest
  std::int64_t last = 0;   ///< the highest
  bool operator==(const AuditRange&) const = default;
};

/// Messages that were enqueued before one that has arrived, and that have not arrived themselves.
struct AuditGap {
  Identity identity{};  ///< of whose messages
  AuditRange range{};   ///< which of them
  bool operator==(const AuditGap&) const = default;
};

/// What a message to `Options::announce_topic` says.
struct Announcement {
  /// The messages of one topic that were dropped for one reason.
  struct Entry {
    DropReason reason = DropReason::expired;  ///< why they were dropped
    std::string topic{};                      ///< their topic; empty: several
    std::vector<AuditRange> rows{};           ///< their row ids, ascending
    /// Of the routes with `RouteOptions::sequence` that these messages would have taken.
    std::vector<AuditRange> sequences{};
  };
  Identity identity{};           ///< of all rows below
  std::vector<Entry> dropped{};  ///< one for each reason and topic

  /// Nothing when the payload is not an announcement.
  static std::optional<Announcement> parse(std::string_view payload);
};

/// How much an `Auditor` remembers.
struct AuditorOptions {
  /// Stretches without a gap that are remembered of one identity. A stretch needs about 64 bytes. 1 to
  /// 10,000,000.
  std::size_t ranges = 1000;
  /// Identities that are remembered. 1 to 10,000,000.
  std::size_t identities = 1000;
  /// Told about each gap that is given up as lost, because there are too many. It must not call the auditor.
  std::function<void(const AuditGap&)> lost{};
};

/// For the receiving side: takes the ids of what has arrived, in any order, copies included, and says what is
/// missing. Ids are gap-free for one identity, so the receiver of all routes of a file finds every loss; the
/// receiver of one route gives it `{identity, sequence}` instead, of a route with `RouteOptions::sequence`.
///
/// Its memory is bounded: of each identity the newest stretches are known exactly, and what lies below them
/// is forgotten. A gap that is forgotten is given up, told to `AuditorOptions::lost` and counted; so is every
/// gap of an identity that is forgotten because others came.
///
/// Not for two threads at once.
class Auditor {
 public:
  /// What is known of a message that has arrived.
  enum class Arrival : std::uint8_t {
    first,      ///< not seen before
    duplicate,  ///< a copy of one that has arrived
    forgotten,  ///< so old that nobody knows any more: a copy, or one that was given up; or not an id
  };

  /// Since it was made.
  struct Counts {
    std::uint64_t first = 0;       ///< `Arrival::first`
    std::uint64_t duplicates = 0;  ///< `Arrival::duplicate`
    std::uint64_t forgotten = 0;   ///< `Arrival::forgotten`
    std::uint64_t explained = 0;   ///< missing messages that announcements have accounted for
    std::uint64_t lost = 0;        ///< messages given up
  };

  /// Throws `InvalidOption`.
  explicit Auditor(AuditorOptions options = {});

  /// A message with this id has arrived.
  Arrival arrived(const MessageId& id);
  /// The same with the id as it travels (`satchel-id`).
  Arrival arrived(std::string_view id);

  /// The messages of this identity begin with `first`: what is missing from there on is missing, and what is
  /// below is not looked at. Without it they begin with the lowest that arrives. No effect on what is
  /// forgotten already.
  void begins(const Identity& identity, std::int64_t first);
  /// Messages up to `last` exist: what is missing at the end is missing, too.
  void reaches(const Identity& identity, std::int64_t last);

  /// Messages that will not come, and that somebody accounts for: dropped, expired, discarded. One of them
  /// that comes all the same is `Arrival::first`.
  void explained(const Identity& identity, AuditRange range);
  /// Takes the rows of an announcement. False when the payload is none.
  bool announced(std::string_view payload);

  /// What is missing now, by identity, in ascending order; the first `limit` gaps. A dead letter is missing
  /// until it is replayed, or discarded and that announced: its sender has it, and nobody announces it.
  std::vector<AuditGap> missing(std::size_t limit = 1000) const;

  /// How much has arrived, and what became of the rest.
  const Counts& counts() const noexcept { return counts_; }

 private:
  struct Span {
    std::int64_t last = 0;
    bool arrived = false;  // otherwise explained
  };
  struct Known {
    std::map<std::int64_t, Span> spans{};  // by first row; neighbours of one kind are one
    std::int64_t floor = 0;                // below and at it everything is forgotten
    std::int64_t reaches = 0;
    bool begun = false;
    std::uint64_t used = 0;
  };

  Known& known(const Identity& identity);
  void forget_quietest();
  void forget_lowest(const Identity& identity, Known& known);
  void give_up(const AuditGap& gap);
  static void add(Known& known, AuditRange range, bool arrived);
  static void cut_out(Known& known, std::int64_t row);
  static bool gaps_of(const Identity& identity, const Known& known,
                      const std::function<bool(const AuditGap&)>& take);

  AuditorOptions options_;
  std::map<Identity, Known> identities_;
  std::uint64_t clock_ = 0;
  Counts counts_;
};

}  // namespace satchel

#pragma GCC visibility pop
