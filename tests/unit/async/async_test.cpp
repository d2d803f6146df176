// SPDX-License-Identifier: MIT
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <coroutine>
#include <deque>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using satchel::EnqueueResult;
using satchel::Message;
using satchel::MessageId;
using satchel::Outbox;
using satchel::UsageError;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::TempDir;

constexpr seconds kDeadline{60};

struct Fixture {
  explicit Fixture(satchel::Options options = {}) : outbox{std::in_place, path, std::move(options)} {}
  TempDir directory;
  std::string path = directory.path() + "/device.db";
  std::optional<Outbox> outbox;
};

/// A coroutine that starts at once and tells a future about its end.
struct Task {
  struct promise_type {
    std::promise<void> ended;
    Task get_return_object() { return Task{ended.get_future()}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() { ended.set_value(); }
    void unhandled_exception() { ended.set_exception(std::current_exception()); }
  };
  std::future<void> ended;
};

/// A user's executor: one thread that runs what is posted to it.
class Loop {
 public:
  ~Loop() {
    post({});
    thread_.join();
  }
  void post(std::function<void()> work) {
    const std::lock_guard lock{mutex_};
    work_.push_back(std::move(work));
    changed_.notify_one();
  }
  satchel::Executor executor() {
    return [this](std::function<void()> work) { post(std::move(work)); };
  }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return !work_.empty(); });
      const std::function<void()> work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      if (!work) return;
      work();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  std::thread thread_{[this] { run(); }};
};

Task await_on(Outbox& outbox, Message message, satchel::Executor executor, MessageId& id,
              std::thread::id& where) {
  id = co_await outbox.enqueue_async(std::move(message)).on(std::move(executor));
  where = std::this_thread::get_id();
}

Task await_three(Outbox& outbox, std::vector<MessageId>& ids) {
  for (int number = 0; number < 3; ++number) {
    Message message{.topic = "t", .payload = std::to_string(number)};
    ids.push_back(co_await outbox.enqueue_async(std::move(message)));
  }
}

}  // namespace

TEST_CASE("async: the future gives the id of a message that is committed") {
  Fixture fixture;
  std::future<MessageId> later = fixture.outbox->enqueue_async({.topic = "t", .payload = "1"});
  const MessageId id = later.get();
  CHECK(id.identity == fixture.outbox->identity());
  CHECK(id.row == 1);
  CHECK(fixture.outbox->status().pending == 1);
  // Committed means visible to everybody, and in the file.
  SQLite::Database other{fixture.path};
  CHECK(other.execAndGet("SELECT payload FROM satchel_message WHERE id = 1").getString() == "1");
}

TEST_CASE("async: messages of many threads get all their ids and none gets another's") {
  satchel::Options options;
  options.durability = satchel::Durability::relaxed;
  options.async_queue = 16;
  Fixture fixture{options};
  constexpr int kThreads = 8;
  constexpr int kEach = 200;
  std::mutex mutex;
  std::set<std::int64_t> rows;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      std::vector<std::future<MessageId>> later;
      for (int each = 0; each < kEach; ++each) {
        later.push_back(fixture.outbox->enqueue_async(
            {.topic = "t/" + std::to_string(number), .payload = std::to_string(each)}));
      }
      std::int64_t last = 0;
      for (auto& one : later) {
        const MessageId id = one.get();
        if (id.row <= last) ++wrong;  // the order of one caller is kept
        last = id.row;
        const std::lock_guard lock{mutex};
        rows.insert(id.row);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(rows.size() == kThreads * kEach);
  CHECK(fixture.outbox->status().pending == kThreads * kEach);
}

TEST_CASE("async: what is enqueued is relayed") {
  Fixture fixture;
  auto echo = std::make_shared<support::Echo>();
  fixture.outbox->attach(support::EchoSink{echo});
  fixture.outbox->start();
  const MessageId id = fixture.outbox->enqueue_async({.topic = "t", .payload = "x"}).get();
  REQUIRE(echo->wait_for(1));
  CHECK(echo->taken()[0].id == id);
}

TEST_CASE("async: the callback form tells the id, on another thread") {
  Fixture fixture;
  std::promise<std::pair<MessageId, std::thread::id>> told;
  fixture.outbox->enqueue_async({.topic = "t"}, [&](const EnqueueResult& result) {
    told.set_value({result.get(), std::this_thread::get_id()});
  });
  const auto [id, where] = told.get_future().get();
  CHECK(id.row == 1);
  CHECK(where != std::this_thread::get_id());
  CHECK_THROWS_AS(fixture.outbox->enqueue_async({.topic = "t"}, satchel::EnqueueCallback{}), UsageError);
}

TEST_CASE("async: a callback may enqueue more and ask for the status") {
  Fixture fixture;
  std::promise<std::uint64_t> seen;
  fixture.outbox->enqueue_async({.topic = "t"}, [&](const EnqueueResult&) {
    const std::uint64_t pending = fixture.outbox->status().pending;
    fixture.outbox->enqueue({.topic = "sync"});
    fixture.outbox->enqueue_async({.topic = "t"},
                                  [&, pending](const EnqueueResult&) { seen.set_value(pending); });
  });
  CHECK(seen.get_future().get() == 1);
  CHECK(fixture.outbox->status().pending == 3);
}

TEST_CASE("async: an invalid message is refused at once and its mates are not") {
  Fixture fixture;
  auto good = fixture.outbox->enqueue_async({.topic = "a"});
  CHECK_THROWS_AS(fixture.outbox->enqueue_async({.topic = "a/#"}), satchel::InvalidMessage);
  auto better = fixture.outbox->enqueue_async({.topic = "b"});
  good.get();
  better.get();
  CHECK(fixture.outbox->status().pending == 2);
}

TEST_CASE("async: a message that the file refuses fails alone") {
  Fixture fixture;
  {
    auto tx = fixture.outbox->begin();
    tx.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON satchel_message WHEN NEW.topic = 'forbidden' "
        "BEGIN SELECT raise(ABORT, 'not this one'); END");
    tx.commit();
  }
  // Held back by an open transaction, so that these meet in one commit.
  auto tx = fixture.outbox->begin();
  std::vector<std::future<MessageId>> later(3);
  std::thread producer{[&] {
    later[0] = fixture.outbox->enqueue_async({.topic = "a"});
    later[1] = fixture.outbox->enqueue_async({.topic = "forbidden"});
    later[2] = fixture.outbox->enqueue_async({.topic = "b"});
  }};
  producer.join();
  tx.commit();
  CHECK_NOTHROW(later[0].get());
  CHECK_THROWS_AS(later[1].get(), satchel::StorageError);
  CHECK_NOTHROW(later[2].get());
  CHECK(fixture.outbox->status().pending == 2);
}

TEST_CASE("async: a commit that fails tells its messages, and the next one works again") {
  satchel::Options options;
  options.busy_timeout = milliseconds{0};
  Fixture fixture{options};
  SQLite::Database other{fixture.path, SQLite::OPEN_READWRITE};
  other.exec("BEGIN IMMEDIATE");
  auto failed = fixture.outbox->enqueue_async({.topic = "t"});
  CHECK_THROWS_AS(failed.get(), satchel::BusyError);
  other.exec("ROLLBACK");
  CHECK_NOTHROW(fixture.outbox->enqueue_async({.topic = "t"}).get());
  CHECK(fixture.outbox->status().pending == 1);
}

TEST_CASE("async: a thread with an open transaction is refused instead of waiting for itself") {
  Fixture fixture;
  auto tx = fixture.outbox->begin();
  CHECK_THROWS_AS(fixture.outbox->enqueue_async({.topic = "t"}), UsageError);
  tx.commit();
  CHECK_NOTHROW(fixture.outbox->enqueue_async({.topic = "t"}).get());
}

TEST_CASE("async: a full queue drops, and the status counts it") {
  satchel::Options options;
  options.async_full = satchel::AsyncFull::drop;
  options.async_queue = 1;
  Fixture fixture{options};
  constexpr int kMessages = 200;
  std::vector<std::future<MessageId>> later;
  auto tx = fixture.outbox->begin();
  std::thread producer{[&] {
    for (int number = 0; number < kMessages; ++number) {
      later.push_back(fixture.outbox->enqueue_async({.topic = "t"}));
    }
  }};
  producer.join();
  tx.commit();
  std::uint64_t dropped = 0;
  for (auto& one : later) {
    try {
      one.get();
    } catch (const satchel::QueueFull&) {
      ++dropped;
    }
  }
  // One with the committer, which waits for the transaction, and one in the queue.
  CHECK(dropped >= kMessages - 2);
  CHECK(fixture.outbox->status().async_dropped == dropped);
  CHECK(fixture.outbox->status().pending == kMessages - dropped);
}

TEST_CASE("async: options out of their range are refused") {
  const TempDir directory;
  const auto refused = [&](auto change) {
    satchel::Options options;
    change(options);
    CHECK_THROWS_AS(Outbox(directory.path() + "/device.db", options), satchel::InvalidOption);
  };
  refused([](auto& options) { options.async_batch = 0; });
  refused([](auto& options) { options.async_batch = 10'001; });
  refused([](auto& options) { options.async_queue = 0; });
  refused([](auto& options) { options.async_queue = 1'000'001; });
  refused([](auto& options) { options.async_linger = milliseconds{-1}; });
  refused([](auto& options) { options.async_linger = milliseconds{1001}; });
}

TEST_CASE("async: a coroutine awaits its messages one after the other") {
  Fixture fixture;
  std::vector<MessageId> ids;
  Task task = await_three(*fixture.outbox, ids);
  task.ended.get();
  REQUIRE(ids.size() == 3);
  CHECK(ids[2].row == 3);
  CHECK(fixture.outbox->status().pending == 3);
}

TEST_CASE("async: a coroutine goes on where its executor says") {
  Fixture fixture;
  Loop loop;
  MessageId id;
  std::thread::id where;
  // The commit is held back, so that the coroutine is suspended for sure.
  auto tx = fixture.outbox->begin();
  std::promise<std::future<void>> started;
  loop.post([&] {
    Message message{.topic = "t"};
    Task task = await_on(*fixture.outbox, std::move(message), loop.executor(), id, where);
    started.set_value(std::move(task.ended));
  });
  std::future<void> ended = started.get_future().get();
  CHECK(ended.wait_for(seconds{0}) == std::future_status::timeout);
  tx.commit();
  ended.get();
  CHECK(id.row == 1);
  CHECK(where == loop.id());
}

TEST_CASE("async: what goes wrong is thrown in the coroutine") {
  satchel::Options options;
  options.busy_timeout = milliseconds{0};
  Fixture fixture{options};
  SQLite::Database other{fixture.path, SQLite::OPEN_READWRITE};
  other.exec("BEGIN IMMEDIATE");
  Loop loop;
  MessageId id;
  std::thread::id where;
  Message message{.topic = "t"};
  CHECK_THROWS_AS(await_on(*fixture.outbox, message, loop.executor(), id, where).ended.get(),
                  satchel::BusyError);
  message.topic = "a/#";
  CHECK_THROWS_AS(await_on(*fixture.outbox, message, loop.executor(), id, where).ended.get(),
                  satchel::InvalidMessage);
}

TEST_CASE("async: an answer that is there already does not suspend the coroutine") {
  Fixture fixture;
  std::promise<void> committed;
  satchel::Enqueued answer = fixture.outbox->enqueue_async({.topic = "t"});
  fixture.outbox->enqueue_async({.topic = "t"}, [&](const EnqueueResult&) { committed.set_value(); });
  committed.get_future().wait();
  CHECK(answer.await_ready());
  CHECK(answer.await_resume().row == 1);
}

TEST_CASE("async: the destructor commits what is queued") {
  Fixture fixture;
  std::vector<std::future<MessageId>> later;
  for (int number = 0; number < 500; ++number) later.push_back(fixture.outbox->enqueue_async({.topic = "t"}));
  fixture.outbox.reset();
  for (auto& one : later) {
    REQUIRE(one.wait_for(seconds{0}) == std::future_status::ready);
    CHECK_NOTHROW(one.get());
  }
  Outbox again{fixture.path};
  CHECK(again.status().pending == 500);
}

TEST_CASE("async: the destructor tells what could not be committed") {
  satchel::Options options;
  options.busy_timeout = milliseconds{0};
  Fixture fixture{options};
  SQLite::Database other{fixture.path, SQLite::OPEN_READWRITE};
  other.exec("BEGIN IMMEDIATE");
  std::vector<std::future<MessageId>> later;
  for (int number = 0; number < 10; ++number) later.push_back(fixture.outbox->enqueue_async({.topic = "t"}));
  fixture.outbox.reset();
  for (auto& one : later) {
    REQUIRE(one.wait_for(seconds{0}) == std::future_status::ready);
    CHECK_THROWS_AS(one.get(), satchel::BusyError);
  }
}

TEST_CASE("async: a destructor under an open transaction of its thread does not wait for itself") {
  Fixture fixture;
  auto tx = fixture.outbox->begin();
  std::future<MessageId> later;
  std::thread{[&] { later = fixture.outbox->enqueue_async({.topic = "t"}); }}.join();
  fixture.outbox.reset();
  CHECK(later.wait_for(seconds{0}) == std::future_status::timeout);
  tx.commit();
  CHECK_NOTHROW(later.get());
}

TEST_CASE("async: an outbox may be destroyed in a callback") {
  Fixture fixture;
  std::promise<void> gone;
  fixture.outbox->enqueue_async({.topic = "t"}, [&](const EnqueueResult&) {
    fixture.outbox.reset();
    gone.set_value();
  });
  REQUIRE(gone.get_future().wait_for(kDeadline) == std::future_status::ready);
  Outbox again{fixture.path};
  CHECK(again.status().pending == 1);
}

TEST_CASE("async: a forked child is refused, with a committer thread or without") {
  Fixture fixture;
  fixture.outbox->enqueue_async({.topic = "t"}).get();
  const pid_t child = fork();
  if (child == 0) {
    int refused = 0;
    try {
      fixture.outbox->enqueue_async({.topic = "t"});
    } catch (const UsageError&) {
      ++refused;
    }
    fixture.outbox.reset();
    _exit(refused == 1 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK_NOTHROW(fixture.outbox->enqueue_async({.topic = "t"}).get());
}
