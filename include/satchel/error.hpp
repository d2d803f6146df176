// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)

namespace satchel {

/// The root of everything satchel throws. `what()` reads "operation: problem (hint)", or without a hint
/// "operation: problem".
///
/// A failed call changes nothing: inside a transaction the caller's rows stay as they were and the
/// transaction is the caller's to commit or roll back. Except that a commit that fails has rolled back, that
/// SQLite may have rolled back on a full file, an I/O error or for want of memory (`Transaction::open`
/// tells), that a transaction in which a handler has failed can only be rolled back, and that after an
/// `OutcomeUnknown` nobody knows.
class Error : public std::runtime_error {
 public:
  /// `code` is an SQLite extended result code or an errno, 0 where neither applies.
  Error(std::string operation, std::string problem, std::string hint, int code = 0);

  /// What was tried: "open device.db", "enqueue", "commit".
  const std::string& operation() const noexcept { return operation_; }
  /// What went wrong, with the offending value.
  const std::string& problem() const noexcept { return problem_; }
  /// What the caller or operator can do about it; may be empty.
  const std::string& hint() const noexcept { return hint_; }
  /// An SQLite extended result code or an errno; 0 where neither applies.
  int code() const noexcept { return code_; }

 private:
  std::string operation_;
  std::string problem_;
  std::string hint_;
  int code_;
};

/// An option is out of its range; names the option, the value and the range.
class InvalidOption : public Error {
  using Error::Error;
};

/// A message that no sink could ever deliver: forbidden topic, oversize payload, malformed header.
class InvalidMessage : public Error {
  using Error::Error;
};

/// A call that the object's state does not allow: use after commit, a second `begin` on one thread,
/// use in a forked child, opening a file there that was open before the fork.
class UsageError : public Error {
  using Error::Error;
};

/// `Outbox::enqueue_async` found `Options::async_queue` messages waiting. This message is not enqueued.
class QueueFull : public Error {
  using Error::Error;
};

/// The file cannot serve as an outbox: missing directory, no database, read-only, network file system.
class OpenError : public Error {
  using Error::Error;
};

/// The file was written by a newer satchel whose format this version cannot use. It is left untouched.
class SchemaTooNew : public OpenError {
  using OpenError::OpenError;
};

/// A header propagator of the application threw. The message was not added; the propagator's own exception is
/// nested in this one.
class PropagatorError : public Error {
  using Error::Error;
};

/// A message that was sent without an outbox did not arrive, or nobody knows whether it did; see
/// `DirectEventBus`.
class DeliveryFailed : public Error {
  using Error::Error;
};

/// SQLite or the operating system failed. Nothing was committed, unless it is an `OutcomeUnknown`.
class StorageError : public Error {
  using Error::Error;
};

/// Another process held the write lock for longer than `Options::busy_timeout`; of a `Writer`, for longer
/// than the busy handler of its connection waits. Nothing was committed; trying the transaction again is
/// safe.
class BusyError : public StorageError {
  using StorageError::StorageError;
};

/// The file system or the file's quota is full, or the transaction has `Options::max_transaction_messages`.
/// Nothing was committed.
class FullError : public StorageError {
  using StorageError::StorageError;
};

/// The message does not fit into `Options::quota`. It was not added; the transaction is the caller's to
/// commit or roll back.
class QuotaExceeded : public FullError {
  using FullError::FullError;
};

/// An I/O error during COMMIT, or another failure in the middle of it that could not be made good at once.
/// The transaction is rolled back and over; after a crash it may turn out committed all the same. Rows and
/// messages still share one fate.
class OutcomeUnknown : public StorageError {
  using StorageError::StorageError;
};

/// The claim on the file was lost to another relay. Thrown by `Storage`, seen only by a relay, which
/// then stands by.
class ClaimLost : public StorageError {
  using StorageError::StorageError;
};

}  // namespace satchel

#pragma GCC visibility pop
