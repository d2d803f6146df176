// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>
#include <satchel/status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// A message that waits, as an operator wants to see it.
struct PendingMessage {
  MessageId id;                     ///< its name for ever
  Message message;                  ///< as it was enqueued
  std::optional<WallTime> created;  ///< when it was enqueued, as far as known
  /// Since the enqueue, as far as the clocks are known; nothing for a plain INSERT and for one of an earlier
  /// boot whose wall clock was never trusted.
  std::optional<std::chrono::milliseconds> age;
  /// Its `not_before` is not over.
  bool delayed = false;
  /// The relay noted it as handed over. It may have been answered a moment ago.
  bool in_flight = false;
  /// Failed attempts so far, and what the first and the last of them ended with.
  int attempts = 0;
  std::string first_error;  ///< of the first failed attempt
  std::string last_error;   ///< of the last failed attempt
  /// Time until its next attempt; nothing: it does not wait for one.
  std::optional<std::chrono::milliseconds> next_attempt;
  /// Not empty: the row cannot be read as a message, and why.
  std::string damage;
};

/// Which of the messages that wait.
struct MessageQuery {
  /// Only rows with a greater row id.
  std::int64_t after = 0;
  std::size_t limit = 100;  ///< messages to return at most
  /// An MQTT topic filter; empty: all.
  std::string topics{};
  /// Only those of this key; empty: all.
  std::string key{};
  /// Only those that have failed before.
  bool failed = false;
  /// Leave out the payload, which is what costs.
  bool without_payload = false;
};

/// So many messages have this in common.
struct Tally {
  std::string text;            ///< what they have in common
  std::uint64_t messages = 0;  ///< how many
};

/// What the relay of a file said last about one of its sinks.
struct SinkReport {
  std::string sink;                   ///< `Sink::name`
  SinkState state = SinkState::none;  ///< how it was; `blocked` also when it is up and refuses a topic
  /// What is wrong with it; empty when it is up and takes all topics.
  std::string problem;
  /// How long ago that was; nothing when it was before the last boot.
  std::optional<std::chrono::milliseconds> since;
};

/// What the relay of a file said last about one of its routes.
struct RouteReport {
  /// `pending` is counted in the file now; `held_until` is left out, see `held_for`.
  RouteStatus status;
  /// `status.pending` is known: the topics of all routes were told.
  bool pending_known = false;
  /// How long the sink has been in its state; nothing when that was before the last boot.
  std::optional<std::chrono::milliseconds> since;
  /// How long what holds its messages back goes on holding them; nothing: nothing does, or it is not known.
  std::optional<std::chrono::milliseconds> held_for;
};

/// What can be seen from outside of the relay of a file.
struct RelayReport {
  /// A process is the relay now. Otherwise the rest is what the last one left.
  bool alive = false;
  /// The process that is, or was, the relay; 0: unknown.
  std::int64_t process = 0;
  /// At most 8, each name once: `routes` tells more.
  std::vector<SinkReport> sinks;
  /// What keeps it from working, and what to do; empty when nothing does.
  std::string failure;
  /// When something was written to `<file>-relay` last: about the time of the last commit or hand-over.
  std::optional<WallTime> active;
  std::uint64_t in_flight = 0;  ///< messages with its sinks
  /// At least one more relay has the file open and waits for the end of this one.
  bool standby = false;

  /// Since its last round began; nothing: no relay is alive, or it is of a satchel that does not tell.
  std::optional<std::chrono::milliseconds> heartbeat;
  /// For how long the relay has not come back from a round: in one that works well under a second. 0: it
  /// waits for something to do, or is not alive.
  std::chrono::milliseconds round_overdue{0};

  /// How long ago the relay told what follows: it does so when something changes, and about once a second
  /// while messages flow. Nothing: it was before the last boot, or the relay is of a satchel that tells no
  /// more than the above; then the rest is empty.
  std::optional<std::chrono::milliseconds> told;
  /// In the order of `Outbox::attach`.
  std::vector<RouteReport> routes;
  /// Messages whose topic no route takes, among the oldest 10,000.
  std::uint64_t unrouted = 0;
  /// As in `Status`, since that relay was started.
  std::uint64_t unsettled = 0;        ///< received and not yet recorded
  std::uint64_t delivered = 0;        ///< messages
  std::uint64_t retried = 0;          ///< failed attempts that were counted
  std::uint64_t expired = 0;          ///< messages that the relay found expired
  std::uint64_t died = 0;             ///< messages that became dead letters
  std::uint64_t delivered_bytes = 0;  ///< as in `Status`
  double messages_per_second = 0;     ///< of late
  double bytes_per_second = 0;        ///< likewise
  Wear wear;                          ///< what it has written
  /// Of the quota that the relay's options set, now.
  QuotaLeft quota_left;
};

/// A look at a file as a whole.
struct FileReport {
  std::string path;                    ///< absolute, without symbolic links
  std::int64_t schema = 0;             ///< version of its format
  std::int64_t schema_compatible = 0;  ///< the oldest version whose code can use it
  Identity identity{};                 ///< the one that new messages get
  std::uint64_t identities = 0;        ///< of all messages that wait or are dead letters

  /// As in `Status`.
  std::uint64_t pending = 0;
  bool pending_is_bound = false;  ///< so many at most, not exactly
  /// Of these, as long as there are no more than 100,000 of each.
  std::uint64_t urgent = 0;
  std::uint64_t bulk = 0;       ///< likewise
  std::uint64_t delayed = 0;    ///< their `not_before` is not over
  std::uint64_t failing = 0;    ///< have failed before and will be tried again
  std::uint64_t dead = 0;       ///< dead letters
  std::int64_t newest_row = 0;  ///< highest row id that was given

  /// The first that waits, without its payload.
  std::optional<PendingMessage> oldest;
  /// The most frequent last errors of messages that will be tried again, and of dead letters: at most 5, of
  /// the first 10,000 messages.
  std::vector<Tally> failures;
  std::vector<Tally> deaths;  ///< likewise, of dead letters
  /// What happened rarely and is counted in the file.
  std::map<std::string, std::int64_t> counters;
  std::vector<Dropped> dropped;  ///< by reason and topic

  std::uint64_t file_bytes = 0;    ///< size of the database file
  std::uint64_t wal_bytes = 0;     ///< as in `Status`
  std::uint64_t free_bytes = 0;    ///< pages of the file that are not in use
  std::uint64_t device_bytes = 0;  ///< that this user could still write to the file system
  unsigned mode = 0;               ///< permission bits of the file

  RelayReport relay;  ///< what its relay is doing
};

/// What a copy holds.
struct BackupReport {
  std::uint64_t pending = 0;      ///< messages that wait
  bool pending_is_bound = false;  ///< so many at most, not exactly
  std::uint64_t dead = 0;         ///< dead letters
};

/// A look into the file of an outbox from outside, beside whatever works on it. It changes no content, keeps
/// no lock between two calls, never becomes the relay and does not bring the format up to date; the
/// application that owns the file does not notice it. Opening puts the file into WAL mode, may make `-wal`
/// and `-shm` beside it, and needs the rights of the application: to write the file and its directory.
///
/// Throws `OpenError`, `StorageError`. Confined to one thread at a time.
class Inspector {
 public:
  /// `OpenError` when there is no such file, or no outbox in it; `SchemaTooNew`.
  explicit Inspector(const std::string& path);
  ~Inspector();
  Inspector(Inspector&&) noexcept;
  Inspector& operator=(Inspector&&) noexcept;

  /// Reads what is worth knowing of the file, at a cost that does not grow with the backlog.
  FileReport report();

  /// Messages that wait, in the order of their row ids.
  std::vector<PendingMessage> messages(const MessageQuery& query = {});
  /// One message that waits; nothing when there is none with this row id.
  std::optional<PendingMessage> message(std::int64_t row);

  /// As `Outbox::dead_letters`.
  std::vector<DeadLetter> dead_letters(std::size_t limit = 100, std::int64_t after = 0);
  /// One dead letter; nothing when there is none with this row id.
  std::optional<DeadLetter> dead_letter(std::int64_t row);

  /// Reads the whole file and looks for damage in its structure; empty: none was found.
  std::string damage();

  /// Copies the file as it is at this moment to `target`, which must not exist, with the mode of the original
  /// where the file system has modes; a removable medium or a share will do. Others may go on writing. It is
  /// written as `<target>.part` and then renamed; a file of that name is deleted before. `progress(done,
  /// total)` is called now and then, in pages.
  ///
  /// The copy names its messages like the original. To put it back in the original's place stop the
  /// application and delete `<file>-wal` and `<file>-shm` first: SQLite would apply that log to the copy.
  /// Keep `<file>-relay`, by which the next opening finds that rows have gone; see `Options::on_restore`.
  /// Beside the original, or where `<file>-relay` is lost, begin a new identity in it.
  BackupReport backup(const std::string& target,
                      const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace satchel

#pragma GCC visibility pop
