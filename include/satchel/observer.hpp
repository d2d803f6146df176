// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/salvage.hpp>
#include <satchel/status.hpp>
#include <satchel/storage.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace satchel {

/// Port: told what happens, for logs and metrics. Every method has an empty default.
///
/// Called without any lock held, from the relay thread, or without one from the thread that is in
/// `Outbox::run_once`, in `Outbox::stop` or in the destructor; except
/// - `gate_held` and `dropped`, which come from the thread that ended the transaction; `dropped` of a
///   `Writer` from the one that enqueues, before its commit,
/// - `salvaged` and `notice`, which come from the thread that opens the file, while it holds the opening lock
///   of `<file>-relay`: there is no outbox to be called yet, and no other one can open the file meanwhile.
///   `notice` comes from other threads, too: the relay's, the committer's, and the one that makes a `Writer`.
///
/// A method must return soon and not throw; it may call the outbox, `stop` included. What is told here
/// happened after the transaction that records it, so a crash in between loses the call, never the record.
///
/// The relay thread has all signals blocked but those of a crash: a process that is started from a method
/// inherits that mask and has to reset it (`posix_spawnattr_setsigmask`).
class Observer {
 public:
  virtual ~Observer() = default;

  /// The first hop has the message. `attempts` failed ones came before.
  virtual void delivered(const MessageId& id, int attempts) noexcept;
  /// An attempt failed and is counted; the next one follows in `backoff` at the earliest.
  virtual void retrying(const MessageId& id, int attempts, const std::string& error,
                        std::chrono::milliseconds backoff) noexcept;
  /// The message is a dead letter now.
  virtual void died(const MessageId& id, DeadReason reason, const std::string& error) noexcept;
  /// The message expired before it could be sent, and is gone. One that an enqueue drops for room just then
  /// is told by `dropped` as well; the counters of the file have it once.
  virtual void expired(const MessageId& id) noexcept;
  /// Messages of one topic were dropped: by quota, coalesced, or discarded, and that is committed, unless a
  /// `Writer` tells it. Expired ones are told by `expired`, and here those that an enqueue dropped because it
  /// found no room.
  virtual void dropped(DropReason reason, const std::string& topic, std::uint64_t messages) noexcept;
  /// The sink takes messages; of all topics again, when it had refused one.
  virtual void sink_up(const std::string& sink) noexcept;
  /// The sink takes no messages, or none of one topic: then `reason` begins with `topic`, and the others go
  /// on. The next probe follows in `pause`. `alarm`: it needs somebody (credentials, rights, configuration).
  virtual void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                         std::chrono::milliseconds pause) noexcept;
  /// This outbox became the relay of the file (true) or stands by (false).
  virtual void leading(bool leads) noexcept;
  /// The relay cannot work (storage busy, full, I/O error); it tries again by itself. `hint` says what to do.
  virtual void failing(const std::string& problem, const std::string& hint) noexcept;
  /// The cause of the last `failing` is gone.
  virtual void healed() noexcept;
  /// One transaction kept every other writer of the process waiting for longer than
  /// `Options::gate_report_after`.
  virtual void gate_held(std::chrono::milliseconds held) noexcept;
  /// Opening found the file damaged and has gone on with what could be read of it. Messages may be lost:
  /// somebody should know.
  virtual void salvaged(const SalvageReport& report) noexcept;
  /// Something that deserves attention but does not stop the work. Most are found at open, such as a known
  /// defect of the SQLite in use and what satchel does about it.
  virtual void notice(const std::string& text) noexcept;
  /// How often `heartbeat` is wanted; asked once, when the relay thread starts. 0, the default: never, and an
  /// idle relay does not wake up.
  virtual std::chrono::milliseconds heartbeat_interval() const noexcept;
  /// The relay thread works: told about every `heartbeat_interval()`, and not while it hangs.
  virtual void heartbeat() noexcept;
};

/// An observer that passes everything on to another one, if there is one: a base for those that mind only a
/// part of it.
class PassingObserver : public Observer {
 public:
  /// Tells `next` all that it is told; nothing: nobody.
  explicit PassingObserver(std::shared_ptr<Observer> next) noexcept : next_{std::move(next)} {}

  void delivered(const MessageId& id, int attempts) noexcept override;
  void retrying(const MessageId& id, int attempts, const std::string& error,
                std::chrono::milliseconds backoff) noexcept override;
  void died(const MessageId& id, DeadReason reason, const std::string& error) noexcept override;
  void expired(const MessageId& id) noexcept override;
  void dropped(DropReason reason, const std::string& topic, std::uint64_t messages) noexcept override;
  void sink_up(const std::string& sink) noexcept override;
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 std::chrono::milliseconds pause) noexcept override;
  void leading(bool leads) noexcept override;
  void failing(const std::string& problem, const std::string& hint) noexcept override;
  void healed() noexcept override;
  void gate_held(std::chrono::milliseconds held) noexcept override;
  void salvaged(const SalvageReport& report) noexcept override;
  void notice(const std::string& text) noexcept override;
  std::chrono::milliseconds heartbeat_interval() const noexcept override;
  void heartbeat() noexcept override;

 private:
  const std::shared_ptr<Observer> next_;
};

}  // namespace satchel

#pragma GCC visibility pop
