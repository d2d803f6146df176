// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/async.hpp>
#include <satchel/error.hpp>
#include <satchel/message.hpp>
#include <satchel/options.hpp>
#include <satchel/route.hpp>
#include <satchel/salvage.hpp>
#include <satchel/sink.hpp>
#include <satchel/status.hpp>
#include <satchel/transaction.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// A transactional outbox in one SQLite file.
///
///     satchel::Outbox outbox{"device.db"};
///     outbox.attach("mqtt://localhost");
///     outbox.start();
///
///     auto tx = outbox.begin();
///     tx.execute("INSERT INTO reading(sensor, celsius) VALUES (?, ?)", "boiler", 71.5);
///     tx.enqueue({.topic = "plant/boiler/temperature", .payload = "71.5"});
///     tx.commit();
///
/// What a commit returned is delivered at least once to the sink's first hop, in spite of crashes, power loss
/// and weeks without a network; or it ends, counted, as a dead letter, expired, or dropped by a policy of the
/// application's. Every copy carries the same message id.
///
/// Thread-safe: any thread may call anything at any time. Transactions get the write access in the order in
/// which they ask. Not for use in a forked child: every call there that reaches the file or the relay throws
/// `UsageError`, and so does opening a file there that was open before the fork. Fork first, or exec.
class Outbox {
 public:
  /// Opens the file, or creates it with mode 0600, puts it into WAL mode and brings the `satchel_` tables up
  /// to date; other tables are left alone. A damaged file is kept under another name and what can be read of
  /// it is carried over, see `Options::on_damage`. Throws `OpenError`, `SchemaTooNew`, `InvalidOption`,
  /// `StorageError`; the file is unharmed.
  explicit Outbox(const std::string& path, Options options = {});

  /// Commits what `enqueue_async` has queued and ends the relay without waiting for receipts; takes a moment,
  /// 5 s at most for a commit that hangs and 5 s for a relay thread that does: those are left to end by
  /// themselves. A transaction that is still open stays usable; one that the destroying thread itself has
  /// open is committed or rolled back before the queue is.
  ~Outbox();
  Outbox(Outbox&&) noexcept;
  Outbox& operator=(Outbox&&) noexcept;

  // ---- write ----

  /// Begins a transaction (BEGIN IMMEDIATE). Waits for its turn behind the other threads of this process, and
  /// up to `busy_timeout` for other processes (`BusyError`). A second `begin` on a thread whose transaction
  /// is still open would wait for itself and throws `UsageError`.
  Transaction begin();

  /// Adds a message in a transaction of its own and commits it, or adds it to the transaction that this
  /// thread has open.
  MessageId enqueue(const Message& message);

  /// Queues a message; a committer thread commits those of many callers together, in the order in which they
  /// came. The answer, a `std::future` that can also be awaited by a coroutine, gives the id once the commit
  /// is as durable as `Options::durability` says. A commit that fails answers all of its messages with the
  /// error; those that do not fit together (`FullError`) are tried one by one.
  ///
  /// What is known at once is thrown at once: `InvalidMessage`; `PropagatorError`; `QueueFull`, see
  /// `Options::async_full`; `UsageError` on a thread that has a transaction open, which the committer would
  /// have to wait for.
  Enqueued enqueue_async(Message message);
  /// The same with a callback instead of the future.
  void enqueue_async(Message message, EnqueueCallback done);

  /// Publishes a typed event, see `Transaction::publish`, in a transaction of its own or in the one that this
  /// thread has open. Include <satchel/event.hpp>.
  template <class Event>
  auto publish(const Event& event) {
    return publish_event(*this, event);
  }

  /// Calls `handler(event)`, or `handler(event, transaction)`, for every domain event of this type that a
  /// transaction of this outbox publishes: inside it, before its commit, handlers in the order of their
  /// subscription, never two at once. It may write rows, enqueue and publish; to undo everything, it throws.
  template <class Event, class Handler>
  void subscribe(Handler handler) {
    subscribe_event<Event>(*this, std::move(handler));
  }

  /// Calls `propagator` for every message that is enqueued from now on, after those added before. When it
  /// throws, the enqueue fails with `PropagatorError` and the transaction stays as it was.
  void add_propagator(HeaderPropagator propagator);

  // ---- deliver ----

  /// Adds a route: a sink, and which messages go there, see `RouteOptions`; without them all that no earlier
  /// route takes. Before `start` and `run_once`, and at most 32 routes (`UsageError`). Throws
  /// `InvalidOption`, which names the option.
  void attach(std::unique_ptr<Sink> sink, RouteOptions route = {});

  /// The same with a sink by value.
  template <std::derived_from<Sink> S>
  void attach(S sink, RouteOptions route = {}) {
    attach(std::unique_ptr<Sink>{std::make_unique<S>(std::move(sink))}, std::move(route));
  }

  /// The same by URL: `mqtt://host:port`, `mqtts://`, `http://`, `https://`, `stdout:`, or a scheme
  /// registered with `register_scheme`. Options are query parameters; passwords come from the environment or
  /// a file, never from the URL. Throws `InvalidOption`, which lists the known schemes when this is none.
  void attach(const std::string& url, RouteOptions route = {});

  /// Sends nothing more on a route: the modem is off, the device is roaming. What is in flight is waited for,
  /// then the sink is disconnected and not probed. Messages lose no attempt and do not age towards `max_age`;
  /// `Message::expires_after` goes on. Throws `UsageError` when there is no route of this name; no effect on
  /// one that is paused. From any thread, before `start`, too.
  void pause(const std::string& route);
  /// Ends `pause`: the sink is probed at once. On a route that is not paused it ends the wait of the relay
  /// for the next probe, of the sink or of a topic that it refused: call it when the cause is mended.
  void resume(const std::string& route);

  /// Starts the relay thread. When another process is the relay of the file, this one stands by and takes
  /// over as soon as that one ends. Without a sink, after `stop`, and from inside `run_once`: `UsageError`.
  /// Already running: no effect.
  void start();

  /// Stops taking up new messages, waits for the receipts of those in flight, records them and disconnects;
  /// a quarter of `timeout` is kept for the disconnecting. Returns within `timeout`, of which a day counts
  /// at most; true when everything in flight came to its end in that time. What was unanswered stays pending,
  /// and so does what the storage failed to record. A relay thread that hangs ends by itself later. Without
  /// one the calling thread does all this, with the `Observer`'s calls. May be called twice, from any thread:
  /// the earlier end counts. From the relay thread itself, as in an `Observer`, it only asks the relay to
  /// stop and returns false at once. A `run_once` that is under way ends the relay before it returns, when
  /// it was asked from inside or `timeout` has passed meanwhile.
  ///
  /// Afterwards this outbox relays no more: `start` and `run_once` throw `UsageError`, and so does `attach`.
  /// Before the first `start` or `run_once` it has no effect and returns true.
  bool stop(std::chrono::milliseconds timeout);

  /// One round of the relay on the calling thread, for programs without a relay thread: takes up receipts,
  /// records outcomes, hands over messages. Never blocks on the network; waits for another thread that is in
  /// it. True when anything was done, unless it was asked to stop meanwhile. Throws `UsageError` without a
  /// sink, once there is a relay thread, after `stop`, and from inside itself.
  bool run_once();

  // ---- inspect and repair ----

  /// How it is now. Thread-safe; reads no more of a large backlog than of a small one.
  Status status() const;

  /// What this opening had to salvage from a damaged file; nothing when it was sound.
  std::optional<SalvageReport> salvaged() const;

  /// Dead letters in the order of their ids, those after `after`, at most `limit`.
  std::vector<DeadLetter> dead_letters(std::size_t limit = 100, std::int64_t after = 0) const;

  /// Makes a dead letter pending again, with its old id and no attempts; it comes behind what was sent in the
  /// meantime. The relay looks at all pending rows once more then. False when there is none with this id.
  bool replay(const MessageId& id);
  /// Replays all that there are at the call, 500 in a transaction; returns how many.
  std::uint64_t replay_all();
  /// Deletes a dead letter for good, counted; the key that it blocked goes on. False when there is none with
  /// this id. Where drops are announced the announcement needs room in the quota: it may drop other messages,
  /// or be a `QuotaExceeded`, by which the dead letter stays.
  bool discard(const MessageId& id);

  /// What was dropped since the file was made, by reason and topic: at most 201 topics of each reason.
  std::vector<Dropped> dropped() const;

  /// The identity that new messages get.
  Identity identity() const;
  /// Begins a new identity: messages enqueued from now on cannot be taken for those of any other file. For an
  /// image that was cloned with machine id and all, and for a copy that goes on beside the original.
  Identity renew_identity();

 private:
  friend struct detail::EventAccess;
  void dispatch(const detail::AnyEvent& event);
  void add_handler(std::type_index type, EventHandler handler);

  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace satchel

#pragma GCC visibility pop
