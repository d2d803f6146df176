// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>
#include <satchel/observer.hpp>
#include <satchel/quota.hpp>
#include <satchel/topic_rule.hpp>
#include <satchel/transaction.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

struct sqlite3;

#pragma GCC visibility push(default)

namespace satchel {

/// The limits of a `Writer`; those of delivery are the `Outbox`'s.
struct WriterOptions {
  std::size_t max_payload_bytes = 1U << 20U;  ///< at enqueue; 0 to 256 MiB
  std::size_t max_header_bytes = 8192;        ///< names and values of one message together; 0 to 1 MiB

  /// Makes the `satchel_` tables when the file has none, by opening an `Outbox` with its defaults for a
  /// moment. That puts the file into WAL mode. Otherwise a file without them is refused.
  bool create = false;

  /// As in `Options`, for what this writer enqueues: give it the same as the `Outbox` of the file.
  /// `Quota::exact` needs that one to count. What it drops is counted and announced at once, and told to the
  /// observer then, not after the commit.
  std::vector<TopicRule> topics{};
  Quota quota{};                 ///< likewise
  std::string announce_topic{};  ///< likewise

  /// Where time comes from; nothing: `system_clock()`.
  std::shared_ptr<Clock> clock{};
  /// Its `notice` is told what `Writer::notices` returns; nothing: nobody.
  std::shared_ptr<Observer> observer{};
};

/// Enqueues on a connection that the application has opened itself, into whatever transaction is open there.
///
///     satchel::Writer writer{app_database};
///     {
///       auto gate = writer.gate();                      // no SQLITE_BUSY among threads of this process
///       SQLite::Transaction tx{app_database, SQLite::TransactionBehavior::IMMEDIATE};
///       app_database.exec("INSERT INTO reading(celsius) VALUES (71.5)");
///       writer.enqueue({.topic = "plant/boiler/temperature", .payload = "71.5"});
///       tx.commit();
///     }
///     writer.committed();                               // wakes the relay
///
/// Rows and messages commit together or not at all; a ROLLBACK, also to a savepoint, takes back the messages
/// enqueued since. The relay is an `Outbox` on the same file, in this process or another one.
///
/// **Begin with BEGIN IMMEDIATE.** A transaction that reads first and writes later fails with
/// SQLITE_BUSY_SNAPSHOT when anybody has written in between. The relay writes often, no busy timeout helps
/// then, and the only way on is ROLLBACK and another try.
///
/// It keeps the connection as it was: no hook, no pragma, the same `last_insert_rowid()`. Only `changes()`
/// and `total_changes()` count its statements. One thread at a time, as the connection; destroy it before the
/// connection is closed. In a forked child every call throws `UsageError`, and so does a new writer on a file
/// that was open before the fork.
///
/// Relay and application have to use the same copy of SQLite; two copies in one process lose locks. A
/// connection of another copy is refused where it can be told, see `sqlite_copies`.
class Writer {
 public:
  /// Throws `UsageError` when the file has no `satchel_` tables, is not in WAL mode, is none (in memory),
  /// or was opened by another copy of SQLite; `SchemaTooNew`, `InvalidOption`, `StorageError`. Writes
  /// nothing, unless told to with `create`.
  explicit Writer(SQLite::Database& database, WriterOptions options = {});
  /// The same on a connection of the C interface.
  explicit Writer(sqlite3* database, WriterOptions options = {});
  ~Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;

  /// Adds a message to the open transaction; it is sent only after that commits. Without an open transaction
  /// it commits the message in one of its own, through the gate, and wakes the relay.
  ///
  /// Returns an id without a row when the quota drops it.
  ///
  /// Throws `InvalidMessage`; `BusyError` when the transaction cannot write, as the busy handler of the
  /// connection says; `FullError`, `StorageError`. An open transaction is then as it was, unless SQLite had
  /// to roll it back: the error says so. On a thread on which an `Outbox` of the file has a transaction open
  /// it throws `UsageError`, as it would wait for itself.
  MessageId enqueue(const Message& message);

  /// Tells the relay, in whatever process it is, that something was committed. Call it after the COMMIT: it
  /// costs microseconds and no write. Without it messages wait for the next commit of an `Outbox`, or for
  /// `Options::polling_interval` with `Options::external_writers`.
  void committed() noexcept;

  /// Calls `propagator` for every message that is enqueued from now on; see `Outbox::add_propagator`.
  void add_propagator(HeaderPropagator propagator);

  /// A hold on the write access of the file among the threads of this process. Confined to its thread.
  class Hold {
   public:
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    friend class Writer;
    struct State;
    explicit Hold(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
  };

  /// Waits for the turn at the gate that hands out the write access within this process, in the order of
  /// asking, and holds it until the result is destroyed. Take it before BEGIN IMMEDIATE and drop it after the
  /// end of the transaction: then no thread here waits in SQLite's busy handler, which sleeps and is unfair.
  /// Throws `UsageError` when this thread holds it already. Do not wait for an `enqueue_async` meanwhile.
  [[nodiscard]] Hold gate();

  /// What deserves attention about the connection and the SQLite behind it, and what to change; empty: all
  /// is well. Found when the writer was made.
  const std::vector<std::string>& notices() const;

 private:
  struct State;
  State& state(const char* operation) const;

  std::unique_ptr<State> state_;
};

}  // namespace satchel

#pragma GCC visibility pop
