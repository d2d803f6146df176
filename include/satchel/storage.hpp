// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// A message as the relay reads it back.
struct StoredMessage {
  MessageId id;                     ///< its name for ever
  std::string topic;                ///< as in `Message`
  std::string payload;              ///< as in `Message`
  std::string key;                  ///< as in `Message`
  std::string content_type;         ///< as in `Message`
  std::vector<Header> headers;      ///< as in `Message`
  std::optional<WallTime> created;  ///< when it was enqueued, as far as known
  /// Time left until it expires, zero or less when it has; nothing: never.
  std::optional<std::chrono::milliseconds> remaining;
  /// Failed attempts so far.
  int attempts = 0;
  /// It must be sent alone: a process or a connection died with it in flight.
  bool suspect = false;
  /// It waits for its next attempt until then; nothing: it may be sent now.
  std::optional<BootTime> due;
  /// Time that counted towards `max_age` so far.
  std::chrono::milliseconds aged{0};
  Priority priority = Priority::normal;  ///< as in `Message`
  /// Its own limits of attempts and age.
  std::optional<RetryPolicy> retry{};
  /// Its number on its route, see `RouteOptions::sequence`.
  std::optional<std::int64_t> sequence{};
  /// Not empty: the row cannot be read as a message, and why. Such a row becomes a dead letter.
  std::string damage;
};

/// Which messages to read. By row (`row`), by key (`key`), or neither. A message whose `not_before` is not
/// over comes only when it is asked for by row.
struct ClaimQuery {
  /// Only rows with a greater row id, in ascending order.
  std::int64_t after = 0;
  /// Set: only rows with a lower row id, in descending order. Not together with `key` or `row`.
  std::optional<std::int64_t> before{};
  std::optional<std::string> key{};   ///< only messages of this key
  std::optional<std::int64_t> row{};  ///< only this row
  /// Only messages of this priority; nothing: of any. Always set where `key` and `row` are not.
  std::optional<Priority> priority{};
  /// Leaves out the topics for which it says no; empty: takes all.
  std::function<bool(std::string_view topic)> accepts{};
  std::size_t max_count = 100;  ///< messages to return at most
  /// Stops after the message that reaches it, so that at least one is returned.
  std::size_t max_bytes = 1 << 20;
  /// Rows to look at, those included that are left out.
  std::size_t max_rows = 10'000;
};

/// What was found.
struct Claimed {
  std::vector<StoredMessage> messages{};  ///< in the order that was asked for
  /// The last row that was looked at: reading goes on behind it. Nothing: there is no more.
  std::optional<std::int64_t> last{};
};

/// Messages whose `not_before` has passed.
struct Released {
  /// What is needed to hand the message over in its turn.
  struct Row {
    std::int64_t row = 0;                  ///< its row id
    std::string topic{};                   ///< as in `Message`
    std::string key{};                     ///< as in `Message`
    Priority priority = Priority::normal;  ///< as in `Message`
  };
  std::vector<Row> rows{};  ///< in the order in which they became due
  /// The storage is occupied right now: nothing was released, and `on_change` is called when it is worth
  /// another call.
  bool occupied = false;
};

/// What a relay finds when it becomes the one relay of a file.
struct Recovery {
  /// Row ids that were in flight when the last relay's process died, ascending. Empty after an orderly stop.
  /// Rows that are gone may be missing.
  std::vector<std::int64_t> suspects{};
  /// `InFlight::alone` as it was noted last.
  std::int64_t alone = 0;
  /// `Settlement::notes` of all earlier relays: the last value of each name.
  std::map<std::string, std::string> notes{};
};

/// The rows that are about to be handed to a sink or still are there, and those under suspicion from before.
struct InFlight {
  std::vector<std::int64_t> rows;  ///< their ids, ascending
  /// Highest row id of this hand-over.
  std::int64_t highest = 0;
  /// A row that is sent alone on purpose, to find out whether it ends the process; 0: none.
  std::int64_t alone = 0;
  /// Delivered, or given up, and not recorded yet, ascending: nothing drops them, and a crash makes no
  /// suspects of them.
  std::vector<std::int64_t> delivered{};
};

/// A failed attempt to be recorded.
struct Failure {
  std::int64_t row = 0;               ///< of the message
  int attempts = 0;                   ///< failed attempts, with this one
  bool suspect = false;               ///< to be sent alone from now on
  std::optional<BootTime> due;        ///< when it may be sent again
  std::chrono::milliseconds aged{0};  ///< time that counts towards `max_age` so far
  std::string error;                  ///< for people: what happened
};

/// Why a message left the pending set without being delivered. The values are part of the file format.
enum class DeadReason : std::uint8_t {
  rejected = 1,  ///< the sink said that it can never succeed
  attempts = 2,  ///< `max_attempts` reached
  age = 3,       ///< `max_age` reached
  crashed = 4,   ///< the process died while it was in flight alone, `max_attempts` times
  damaged = 5,   ///< the row cannot be read as a message
};

/// A message to be moved to the dead letters.
struct Death {
  std::int64_t row = 0;                      ///< of the message
  DeadReason reason = DeadReason::rejected;  ///< why it is given up
  int attempts = 0;                          ///< failed attempts, with the last one
  std::string error;                         ///< for people: what happened last
};

/// Outcomes to be recorded in one transaction.
struct Settlement {
  std::vector<std::int64_t> delivered;  ///< rows to be deleted
  std::vector<std::int64_t> expired;    ///< rows to be dropped and counted
  std::vector<Failure> failures;        ///< rows that stay
  std::vector<Death> deaths;            ///< rows to be moved to the dead letters
  /// Named values to be kept with the outcomes, for `Recovery::notes`. At most 1000 names are ever used.
  std::vector<std::pair<std::string, std::string>> notes{};

  /// Without the notes.
  std::size_t size() const noexcept {
    return delivered.size() + expired.size() + failures.size() + deaths.size();
  }
};

/// What became of deliveries that were offered to `Storage::ride`.
struct Ride {
  /// Recorded since the last call.
  std::vector<std::int64_t> recorded{};
  /// Messages are being committed at this moment, so that what is offered is likely to be recorded soon.
  bool near = false;
};

/// What `Storage::look` found.
struct Look {
  /// Messages may have been committed by somebody else, or the claim may be free.
  bool changed = false;
  /// When to look again even if nothing happens; nothing: only events matter.
  std::optional<BootTime> next{};
  /// There are messages whose `not_before` has passed: `release_due` is worth a call. It is called, and the
  /// relay looks again at once; what is due then has to be less, or the relay would go on without a pause.
  bool due = false;
};

/// Port: where messages are kept. The relay calls all but `save` from one thread at a time; `save` may be
/// called from any.
///
/// Failures are thrown as `StorageError`; the relay reports them, keeps what it has and tries again.
class Storage {
 public:
  virtual ~Storage() = default;

  /// Keeps a message, in a transaction of its own. When it returns, the message survives what the storage
  /// promises to survive.
  virtual MessageId save(const Message& message) = 0;

  /// Becomes the one relay of this storage. Nothing: another relay has it; call again later.
  virtual std::optional<Recovery> acquire() = 0;

  /// Ends the claim of `acquire` in an orderly way, so that nothing in flight is suspected. No effect without
  /// it.
  virtual void release() noexcept = 0;

  /// Reads pending messages in the order of their rows. Writes nothing.
  virtual Claimed claim(const ClaimQuery& query) = 0;

  /// False: no message has another priority than normal. Asked once for each change, before urgent and bulk
  /// messages are looked for: one probe of the index of priorities.
  virtual bool has_priorities() { return true; }

  /// Makes at most `max_count` messages whose `not_before` has passed ready: claims find them from now on.
  virtual Released release_due(std::size_t max_count) = 0;

  /// The keys of which a message is a dead letter, at most `limit`; used with `DeadKey::block`.
  virtual std::vector<std::string> dead_keys(std::size_t limit) = 0;

  /// Called right before every hand-over: makes the rows durable, so that nothing is sent that could still
  /// vanish, and notes what is in flight. Called without rows when what was noted came back unsent. Returns
  /// those rows, ascending, that must not be sent now, because a transaction that is not over yet drops them,
  /// or one has since they were read; they count as not in flight. Throws `ClaimLost` when another relay has
  /// taken over.
  virtual std::vector<std::int64_t> before_send(const InFlight& in_flight) = 0;

  /// Records outcomes in one transaction; all or nothing. Returns false when the storage is occupied right
  /// now: nothing was recorded, and `on_change` is called when it is worth another call. Recording an outcome
  /// twice has no further effect. Throws `ClaimLost` when another relay has taken over, `OutcomeUnknown` when
  /// it must be recorded again.
  virtual bool settle(const Settlement& settlement) = 0;

  /// Offers delivered rows, the oldest first, to be recorded by commits of the application along with its own
  /// rows, in place of what was offered before; `settle` takes the offer back. What a commit has recorded
  /// need not be settled any more, and does no harm if it is. Cheap. A storage without such commits records
  /// nothing.
  virtual Ride ride(const std::vector<std::int64_t>& delivered) {
    static_cast<void>(delivered);
    return {};
  }

  /// Housekeeping between hand-overs (checkpoints). Cheap when there is nothing to do.
  virtual void maintain() = 0;

  /// Takes up what happened outside this process: changes of the file, an end of another relay. Called at
  /// every round of the relay; cheap.
  virtual Look look() = 0;

  /// Becomes readable when `look` has something to take up; -1: there is nothing to wait for.
  virtual int watch_descriptor() const noexcept { return -1; }

  /// Counts up when rows below the newest may have become pending again (a replayed dead letter), or a dead
  /// letter was discarded: the relay then looks at all rows, and at the dead keys, once more.
  virtual std::uint64_t rescans() = 0;

  /// Sets the function that wakes the relay: messages may have been committed, `settle` is worth a call, the
  /// claim may be free. It is thread-safe and cheap. Spurious calls are allowed.
  virtual void on_change(std::function<void()> wake) = 0;
};

}  // namespace satchel

#pragma GCC visibility pop
