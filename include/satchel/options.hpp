// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/observer.hpp>
#include <satchel/quota.hpp>
#include <satchel/retry_policy.hpp>
#include <satchel/salvage.hpp>
#include <satchel/topic_rule.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// What a returned `commit()` survives.
enum class Durability : std::uint8_t {
  /// Process crash and power loss, on storage that honours fsync. One fsync for each commit.
  full,
  /// Process crash. Power loss may take the last transactions, rows and messages together, but none of
  /// which a message was sent. No fsync in the application's commits.
  relaxed,
};

/// What `Outbox::enqueue_async` does when `Options::async_queue` messages wait to be committed already.
enum class AsyncFull : std::uint8_t {
  wait,  ///< blocks its caller until there is room; in a callback of `enqueue_async` it fails instead
  fail,  ///< throws `QueueFull`
  drop,  ///< gives the message up: its future or callback gets `QueueFull`, and `Status::async_dropped`
         ///< counts it
};

/// What becomes of the messages of a key whose first one has become a dead letter.
enum class DeadKey : std::uint8_t {
  release,  ///< they go on without it
  block,    ///< they wait until it is replayed or discarded; of 100,000 keys at once, further ones go on
};

/// What a file is when it holds less than was sent from it: an older copy was put back.
enum class OnRestore : std::uint8_t {
  renew,  ///< new messages get a new identity, so that no receiver takes them for those that it has seen
  keep,   ///< they get the same identity again, from the next row id on that was never sent
};

/// How an outbox behaves. Every value is checked at open; one out of range throws `InvalidOption`, which
/// names it. The defaults are those of the declarations and suit a gateway with flash and a link that fails
/// now and then; what ends in `bytes` is in bytes.
struct Options {
  // ---- behaviour ----

  /// What a returned `commit()` survives. `relaxed` where a sync at each commit costs too much time or flash
  /// and the last transactions before a power cut may be lost.
  Durability durability = Durability::full;

  /// Set it when anything but satchel inserts into `satchel_message`: a trigger or a statement of the
  /// application's, in its own transactions, too; another program, the sqlite3 shell, another language. The
  /// relay then watches the file and also looks every `polling_interval`. Without it such a row wakes nobody,
  /// and waits until something else does.
  bool external_writers = false;

  /// Longest time between two looks at the file when `external_writers` is set. 1 ms to 1 day. Shorter
  /// on file systems where changes by others cannot be watched.
  std::chrono::milliseconds polling_interval{1000};

  /// Failed attempts after which a message becomes a dead letter. 1 to 1,000,000. More for a peer that often
  /// fails on sound messages; while a sink is down none are counted. One that answers with a failure of its
  /// own (HTTP 500, PUBACK 0x80) counts as up: with the defaults 5 of them take some 15 s at most.
  int max_attempts = 5;

  /// A message whose first failure is this long ago becomes a dead letter at the next failure; only time in
  /// which the sink was up counts. 0: no limit. At most 10 years. Set it to limit by time rather than number.
  std::chrono::milliseconds max_age{0};

  /// Between two attempts of one message. Longer for a peer that needs time to recover. 1 s,
  /// doubled up to 5 min. While ten times the window of a route, in messages, wait for their next attempt
  /// nothing more is read for that route, urgent messages included, until some of them are due.
  Backoff retry_backoff{};

  /// Between two probes of a sink that is down; likewise. A lower cap for a link that is back for moments
  /// only, a higher one where each attempt costs power or money.
  Backoff probe_backoff{};

  /// Between two probes of a sink that is blocked: credentials and configuration do not mend themselves. 1 ms
  /// to 30 days. Shorter where credentials are renewed by themselves.
  std::chrono::milliseconds blocked_probe{300'000};

  /// A sink that stayed up this long is sound again: its next pause starts from `probe_backoff.base`. 0 to 1
  /// day. Longer for a link that comes and goes.
  std::chrono::milliseconds stable_after{30'000};

  /// A delivery without a receipt for this long is taken back from the sink. 1 ms to 1 day. Make it longer
  /// than the sink's own timeouts, and at least twice as long as `HttpBatch::linger`.
  std::chrono::milliseconds claim_timeout{300'000};

  /// What becomes of a key whose first message is a dead letter. `block` where those behind it make no sense
  /// without it.
  DeadKey dead_key = DeadKey::release;

  /// Of so many messages handed over while bulk messages and others wait, one is bulk. 0: bulk waits until
  /// nothing else does. At most 1,000,000. Smaller when bulk must come through beside steady traffic.
  std::size_t bulk_share = 10;

  /// After an outage a route waits a while before it sends again, drawn evenly from zero to this: a fleet
  /// that comes back all at once does not drain all at once. 0 to 1 day. Set it where many
  /// devices share a broker.
  std::chrono::milliseconds drain_jitter{0};

  /// Policies by topic: the first rule whose filter matches a message counts. At most 1000. For messages that
  /// come without policies of their own; of a rule's, only `retry` reaches those of a plain INSERT.
  std::vector<TopicRule> topics{};

  /// Not empty: everything that is dropped, expires or is discarded is announced by a message to this topic,
  /// committed together with it, so that the receiver can tell a gap from a loss. New messages that found no
  /// room never had an id and leave no gap: they are counted and not announced. An announcement takes room in
  /// the quota, and makes it as `when_full` says. See `Outbox::dropped`.
  std::string announce_topic{};

  /// What to do about an older copy of the file. `keep` only where receivers rely on one identity.
  OnRestore on_restore = OnRestore::renew;

  /// Distinguishes cloned devices together with the machine id; when it changes, message ids get a new
  /// identity. Also seeds the jitter. Empty: the machine id alone. Set it where images are cloned.
  std::string device_id{};

  /// What to do when the file is damaged: by the storage device, or by another program. It is found at open
  /// when the damage is where opening looks or when SQLite has met it at an earlier run. `refuse` when
  /// somebody is to look at the file before anything else happens.
  OnDamage on_damage = OnDamage::salvage;
  /// Reads the whole file at open and looks for damage in its structure (`PRAGMA integrity_check`). Takes as
  /// long as reading and sorting the file takes. Set it where the storage is not to be trusted.
  bool check_at_open = false;

  // ---- limits ----

  /// Deliveries that may be with the sink at once; the duplicates that one broken connection can cause. 1 to
  /// 65,535. More for a link with a long round trip, fewer where copies cost.
  std::size_t window = 100;
  /// The same in bytes of topic, payload, key, content type and headers; one larger message alone is still
  /// sent. 1 to 1 GiB. Less where memory is short.
  std::size_t window_bytes = 1U << 20U;
  /// Receipts that may wait to be recorded; at this number sending stops. They are duplicates after a crash.
  /// 1 to 1,000,000. More with a long `settle_linger`, fewer where copies cost.
  std::size_t max_unsettled = 200;

  /// Of one message, at enqueue; a larger one is refused. 0 to 256 MiB. Lower it to what the peer takes.
  std::size_t max_payload_bytes = 1U << 20U;
  /// Names and values of the headers of one message together, likewise. 0 to 1 MiB.
  std::size_t max_header_bytes = 8192;

  /// Messages of one transaction, which stay in memory until it commits; one more is a `FullError`. 1 to
  /// 10,000,000. Fewer where memory is short.
  std::size_t max_transaction_messages = 100'000;

  /// Handlers of domain events that publish within one another. 1 to 1000. More only where they are meant to:
  /// it ends events that go round in circles.
  std::size_t max_event_depth = 16;

  /// How much may wait, and what to do when it is reached. By default there is no limit: set one where an
  /// outage may last longer than the storage.
  Quota quota{};

  /// Size that the database file may reach, rounded up to pages; beyond it enqueue and business rows fail
  /// with `FullError`. 0: no limit. Otherwise at least 64 KiB. Set it where others use the file system,
  /// too.
  std::uint64_t max_file_bytes = 0;

  /// Takes the space beforehand, so that every outcome is recorded and every enqueue within `max_file_bytes`
  /// succeeds also when the file system is full: for the database two and a half times `max_file_bytes`, the
  /// quota and the relay's records, and for the write-ahead log twice `max_wal_bytes`, of which one
  /// transaction may fill half. Opening throws `FullError` when there is not so much. Needs a
  /// `max_file_bytes` of at most 800 MiB, and `max_wal_bytes` with room for the largest message. Other
  /// programs that checkpoint the file give the space back, until the next open. Set it where others may
  /// fill the file system.
  bool reserve = false;

  /// Free space inside the file, left by messages that were delivered, above which the relay gives it back to
  /// the file system, in steps of a few milliseconds when the backlog is drained. Only of a file that satchel
  /// creates with it; with a file that is there already nothing happens until, while no program has it open,
  /// `PRAGMA auto_vacuum = 2; VACUUM` was run on it. Not together with `reserve`. 0: the file keeps its size,
  /// and new messages fill it again. Otherwise at least 4 KiB. Set it where others use the file system, too:
  /// each commit then writes a little more, and pages in use at the end of the file are written once more.
  std::uint64_t max_free_bytes = 0;

  /// How long a transaction waits for the write lock while another process holds it, 50 ms at least; then it
  /// fails with `BusyError`. What comes before, its turn among the threads of this process, has no limit. The
  /// relay tries for 100 ms at a time and gives way to these threads in between; when it could not record
  /// outcomes for so long, that is a `Status::failure`, and it tries again after a pause. 0 to 10 min.
  /// Shorter for threads that must not wait, longer beside programs with long transactions.
  std::chrono::milliseconds busy_timeout{5000};

  /// A transaction that keeps the write access for longer is reported to the observer. 1 ms to 1 h.
  /// Shorter to find who delays the others.
  std::chrono::milliseconds gate_report_after{1000};

  /// Messages of `enqueue_async` that may wait in memory to be committed. 1 to 1,000,000. More for
  /// bursts; what waits is lost in a crash.
  std::size_t async_queue = 1024;
  /// What `enqueue_async` does when there are so many. `fail` or `drop` for threads that must not wait.
  AsyncFull async_full = AsyncFull::wait;

  // ---- performance ----

  /// Messages of `enqueue_async` that are committed together at most. 1 to 10,000. Fewer where others
  /// must not wait for a long commit.
  std::size_t async_batch = 256;
  /// How long a message of `enqueue_async` may wait for company before it is committed. 0: what is there is
  /// committed as soon as the commit before is done, but for an eighth of its time, in which those whom it
  /// answered may come back; under load that makes batches already. 0 to 1 s.
  std::chrono::milliseconds async_linger{0};

  /// Rows read from the file at once, and outcomes recorded in one transaction. 1 to 10,000. More for
  /// fewer commits, fewer where the application must not wait for a long one.
  std::size_t batch_size = 100;
  /// How long the receipt of a delivery may wait for company before the relay goes to record it, which takes
  /// longer while others have the write access. 0: until nothing is in flight or a commit of the
  /// application's takes it along, and 20 ms at most. Longer saves flash where messages come one by one:
  /// recording one costs a page, recording `batch_size` together little more. What waits counts as pending,
  /// is sent again after a crash, and is at most as much as is delivered in that time, `batch_size` (while
  /// commits take receipts along it may be more), or `max_unsettled`. It is recorded at once when the batch
  /// is full, when the sink fails, at a pause and at a stop, and within 20 ms when a failed attempt, an
  /// expired message or a dead letter joins it. 0 to 1 h.
  std::chrono::milliseconds settle_linger{0};
  /// Page size of a file that satchel creates: a power of two from 512 to 65,536. Smaller where single
  /// messages wear out a medium that takes small writes, larger for large payloads.
  std::size_t page_size = 4096;
  /// Page cache of each of the two connections. 16 KiB to 1 GiB. More for large tables of the
  /// application, less where memory is short.
  std::size_t cache_bytes = 512U << 10U;
  /// Sizes what memory goes to with one number: a quarter of it is `cache_bytes`, an eighth `window_bytes`
  /// (as much again is read ahead, and the sink has a copy). One of them that has another value than its
  /// default keeps it. Code, threads and a transaction's own pages come on top. 0: as those two say. 256 KiB
  /// to 4 GiB. Set it where memory is short.
  std::uint64_t memory_budget = 0;
  /// The relay checkpoints when the write-ahead log has this many bytes. 32 KiB to 1 GiB. More
  /// writes pages that change often less often, less keeps the log small.
  std::size_t checkpoint_bytes = 2U << 20U;
  /// A commit that finds the log over this size checkpoints by itself, relay or not. At least
  /// `checkpoint_bytes`, at most 4 GiB. More when commits must not be delayed by a checkpoint.
  std::size_t max_wal_bytes = 16U << 20U;

  // ---- ports ----

  /// Where time comes from; nothing: `system_clock()`. Another one for tests.
  std::shared_ptr<Clock> clock{};
  /// Says whether the wall clock can be believed; asked whenever the time is read, from any thread. Nothing:
  /// what `clock` says, which by default is what the kernel says (adjtimex), or that it shows a time later
  /// than this release. Within a boot no step of the wall clock expires, delays or releases anything, trusted
  /// or not. Over a reboot two trusted times tell how long the device was off, up to ten years; so set it
  /// where a battery-backed clock may come up with a wrong time that looks right, and believe that only when
  /// it was synchronised.
  std::function<bool(WallTime)> trust_clock{};
  /// Told what happens; nothing: nobody. See `log_to` and `SystemdNotifier`.
  std::shared_ptr<Observer> observer{};
  /// Name of the SQLite VFS to use; empty: SQLite's default. For storage that only a VFS of its own reaches.
  std::string vfs{};

  // ---- tools ----

  /// For a program that visits the file of another one: opening throws `OpenError` when there is no outbox,
  /// and `device_id` does not count, so that messages go on with the identity that the file has.
  bool visiting = false;

  // ---- environment ----

  /// The defaults with what the environment says instead. Each option above the ports but `topics`, and
  /// `vfs`, has a variable: the prefix and its name in upper case, `SATCHEL_BATCH_SIZE`, what is part of
  /// another with that one's name in front, `SATCHEL_QUOTA_URGENT_MESSAGES`. Durations end in `_SECONDS` and
  /// are decimal (`SATCHEL_POLLING_INTERVAL_SECONDS=0.25`), sizes are in bytes, truth values `true`, `false`,
  /// `1` or `0`, one of several is written as here (`relaxed`, `drop_oldest`), a backoff is three
  /// (`SATCHEL_RETRY_BACKOFF_BASE_SECONDS`,
  /// `_FACTOR`, `_CAP_SECONDS`). `MAX_RETRY_COUNT` is another name of `MAX_ATTEMPTS`.
  ///
  /// Throws `InvalidOption`, which names variable, value and range, and for a variable with this prefix that
  /// is no option: a typo would otherwise go unnoticed for years. So take a prefix that nothing else uses.
  /// Reads the environment, which no other thread may change meanwhile.
  static Options from_environment(const std::string& prefix = "SATCHEL_");

  /// The same over `base` instead of the defaults.
  static Options from_environment(Options base, const std::string& prefix = "SATCHEL_");
};

}  // namespace satchel

#pragma GCC visibility pop
