// SPDX-License-Identifier: MIT
#include "outbox/committer.hpp"

#include "base/quiet_thread.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

namespace satchel::outbox {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Callers that wait for their answer and then bring the next message would split into two halves, which
// commit in turn: those of the one are answered when the commit of the other has just begun. This share of a
// commit's time is given to the answered to come back.
constexpr int kComeBackShare = 8;
constexpr milliseconds kComeBackLimit{10};

QueueFull queue_full(std::size_t limit) {
  return QueueFull{"enqueue_async", fmt::format("{} messages wait to be committed already", limit),
                   "slow down, raise Options::async_queue, or set Options::async_full to AsyncFull::wait"};
}

std::string what_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& failure) {
    return failure.what();
  } catch (...) {
    return "something that is not a std::exception";
  }
}

}  // namespace

Committer::Committer(const Options& options, Ports ports)
    : max_batch_{std::min(options.async_batch, options.max_transaction_messages)},
      linger_{options.async_linger},
      max_queue_{options.async_queue},
      full_{options.async_full},
      ports_{std::move(ports)} {}

Committer::~Committer() {
  if (thread_.joinable()) thread_.detach();
}

void Committer::start() {
  const Lock lock{mutex_};
  try {
    thread_ = start_quiet_thread([self = shared_from_this()] { self->run(); });
  } catch (const std::system_error& failure) {
    throw StorageError{"enqueue_async", std::string{"no thread to commit on: "} + failure.what(),
                       "the process may be out of threads or memory", failure.code().value()};
  }
  ended_ = false;
}

void Committer::submit(Message message, EnqueueCallback done) {
  Lock lock{mutex_};
  // A callback that waited for room would wait for its own return.
  if (full_ == AsyncFull::wait && runner_ != std::this_thread::get_id()) {
    space_.wait(lock.native(),
                [this]() SATCHEL_REQUIRES(mutex_) { return closed_ || queue_.size() < max_queue_; });
  }
  if (closed_) {
    throw UsageError{"enqueue_async", "the outbox is closed", "keep it until the last message is enqueued"};
  }
  if (queue_.size() < max_queue_) {
    queue_.push_back({std::move(message), std::move(done), steady_clock::now()});
    lock.unlock();
    work_.notify_one();
    return;
  }
  if (full_ != AsyncFull::drop) throw queue_full(max_queue_);
  ++dropped_;
  lock.unlock();
  tell(done, {{}, std::make_exception_ptr(queue_full(max_queue_))});
}

bool Committer::close(milliseconds patience) {
  Lock lock{mutex_};
  closed_ = true;
  work_.notify_all();
  space_.notify_all();
  const bool called_from_thread = runner_ == std::this_thread::get_id();
  const bool out = !called_from_thread && out_.wait_for(lock.native(), patience,
                                                        [this]() SATCHEL_REQUIRES(mutex_) { return ended_; });
  std::thread thread = std::exchange(thread_, {});
  lock.unlock();
  if (!thread.joinable()) return out;
  if (out) {
    thread.join();
  } else {
    thread.detach();
  }
  return out;
}

std::uint64_t Committer::dropped() const {
  const Lock lock{mutex_};
  return dropped_;
}

void Committer::run() noexcept {
  pthread_setname_np(pthread_self(), "satchel-commit");
  Batch batch;
  for (bool more = true; more;) {
    try {
      more = take(batch);
    } catch (const std::bad_alloc&) {
      continue;  // all of it is still in the queue
    }
    if (more) settle(batch);
  }
  const Lock lock{mutex_};
  runner_ = {};
  ended_ = true;
  out_.notify_all();
}

bool Committer::take(Batch& batch) {
  batch.messages.clear();
  batch.done.clear();
  Lock lock{mutex_};
  runner_ = std::this_thread::get_id();
  work_.wait(lock.native(), [this]() SATCHEL_REQUIRES(mutex_) { return closed_ || !queue_.empty(); });
  if (queue_.empty()) return false;
  // A queue that cannot grow any more brings no more company: waiting on would only hold up its producers.
  const std::size_t most = std::min(max_batch_, max_queue_);
  const bool lingers = linger_ > milliseconds{0};
  const std::size_t enough = lingers ? most : std::min(most, expected_);
  const auto until = lingers ? queue_.front().since + linger_ : expected_until_;
  work_.wait_until(lock.native(), until,
                   [&]() SATCHEL_REQUIRES(mutex_) { return closed_ || queue_.size() >= enough; });
  const std::size_t size = std::min(max_batch_, queue_.size());
  // Nothing may fail any more once something has left the queue.
  batch.messages.reserve(size);
  batch.done.reserve(size);
  for (std::size_t left = size; left > 0; --left) {
    batch.messages.push_back(std::move(queue_.front().message));
    batch.done.push_back(std::move(queue_.front().done));
    queue_.pop_front();
  }
  lock.unlock();
  space_.notify_all();
  return true;
}

void Committer::settle(Batch& batch) noexcept {
  const auto start = steady_clock::now();
  std::vector<EnqueueResult> results;
  std::exception_ptr failure;
  try {
    results = outcomes(batch.messages);
  } catch (...) {
    failure = std::current_exception();  // there was no room for the results: nothing was committed
  }
  const auto end = steady_clock::now();
  {
    const Lock lock{mutex_};
    expected_ = queue_.size() + batch.done.size();
  }
  expected_until_ = end + std::min<steady_clock::duration>((end - start) / kComeBackShare, kComeBackLimit);
  for (std::size_t index = 0; index < batch.done.size(); ++index)
    tell(batch.done[index], failure ? EnqueueResult{{}, failure} : results[index]);
}

std::vector<EnqueueResult> Committer::outcomes(const std::vector<Message>& messages) {
  std::vector<EnqueueResult> results;
  results.reserve(messages.size());
  try {
    return ports_.commit(messages);
  } catch (const FullError&) {
    // Nothing was committed. What fits alone must not fail for the company that it was in.
    if (messages.size() > 1) {
      for (const Message& message : messages) {
        try {
          results.push_back(outcomes({message}).front());
        } catch (const std::bad_alloc&) {
          results.push_back({{}, std::current_exception()});
        }
      }
      return results;
    }
    results.push_back({{}, std::current_exception()});
  } catch (...) {
    results.assign(messages.size(), {{}, std::current_exception()});
  }
  return results;
}

void Committer::tell(const EnqueueCallback& done, const EnqueueResult& result) noexcept {
  try {
    done(result);
  } catch (...) {
    try {
      ports_.notice("a callback of enqueue_async threw: " + what_of(std::current_exception()));
    } catch (...) {
      return;  // nothing is left to tell it with
    }
  }
}

std::vector<EnqueueResult> commit_together(store::Store& store, const std::vector<Message>& batch) {
  std::vector<EnqueueResult> results;
  results.reserve(batch.size());
  const std::unique_ptr<store::Writing> writing = store.begin();
  for (const Message& message : batch) {
    try {
      results.push_back({writing->enqueue(message), nullptr});
    } catch (const QuotaExceeded&) {
      results.push_back({{}, std::current_exception()});
    } catch (const FullError&) {
      throw;
    } catch (const Error&) {
      if (!writing->open()) throw;
      results.push_back({{}, std::current_exception()});
    }
  }
  writing->commit();
  return results;
}

}  // namespace satchel::outbox
