// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#pragma GCC visibility push(default)

namespace satchel {

/// What became of one message of `Outbox::enqueue_async`: it is committed, or `error` says why not.
struct EnqueueResult {
  MessageId id{};              ///< of the message; of none when there is an error
  std::exception_ptr error{};  ///< what prevented it; null: it is committed

  /// The id; throws `error` when there is one.
  MessageId get() const;
};

/// Told once, when the message is committed or given up. Called on the outbox's committer thread, without a
/// lock held; it holds up every later commit, so it must return soon. It may call the outbox, but must not
/// wait for another `enqueue_async`. With `AsyncFull::drop` a message that finds no room is given up on the
/// caller's thread, before `enqueue_async` returns. What it throws is reported to `Observer::notice` and goes
/// no further.
using EnqueueCallback = std::function<void(const EnqueueResult& result)>;

/// Runs a function later, on a thread of its choice: `[&](std::function<void()> work) { pool.post(work); }`.
using Executor = std::function<void(std::function<void()> work)>;

namespace detail {
class Answer;
}

/// The answer to an `enqueue_async` that is still to come: a `std::future<MessageId>`, which a coroutine can
/// also await. Either way it gives the id once the message is as durable as `Options::durability` says, or
/// throws what prevented that. Dropping it does not take the message back.
///
///     std::future<MessageId> later = outbox.enqueue_async(message);
///     MessageId id = co_await outbox.enqueue_async(message);
///     MessageId id = co_await outbox.enqueue_async(message).on(executor);
///
/// One thread at a time; waited for or awaited once.
class Enqueued : public std::future<MessageId> {
 public:
  /// Made by `Outbox::enqueue_async`.
  explicit Enqueued(std::shared_ptr<detail::Answer> answer);

  /// A coroutine that awaits it goes on where `executor` runs it, instead of on the committer thread (where
  /// it would hold up the commits of others until its next suspension). An answer that is there already lets
  /// it go on where it is.
  Enqueued&& on(Executor executor) &&;

  // ---- what co_await calls ----

  /// True when the answer is there already.
  bool await_ready() const noexcept;
  /// Goes on with the coroutine when the answer is there.
  template <class Handle>
  bool await_suspend(Handle coroutine) {
    return suspend([coroutine]() mutable { coroutine.resume(); });
  }
  /// The id; throws what prevented the commit.
  MessageId await_resume();

 private:
  bool suspend(std::function<void()> resume);

  std::shared_ptr<detail::Answer> answer_;
  Executor executor_;
};

}  // namespace satchel

#pragma GCC visibility pop
