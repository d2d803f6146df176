// SPDX-License-Identifier: MIT
#include "outbox/committer.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using satchel::AsyncFull;
using satchel::EnqueueResult;
using satchel::Message;
using satchel::QueueFull;
using satchel::UsageError;
using satchel::outbox::Committer;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kDeadline{60};

/// Stands for the file: commits take place only while the door is open. Thread-safe.
class Shelf {
 public:
  std::vector<EnqueueResult> commit(const std::vector<Message>& batch) {
    std::unique_lock lock{mutex_};
    ++entered_;
    changed_.notify_all();
    changed_.wait_for(lock, kDeadline, [&] { return open_; });
    std::vector<std::string> topics;
    for (const Message& message : batch) topics.push_back(message.topic);
    batches_.push_back(topics);
    if (std::any_of(batch.begin(), batch.end(), [](const Message& m) { return m.topic == "huge"; })) {
      throw satchel::FullError{"commit", "no room", "none"};
    }
    if (failing_) throw satchel::BusyError{"commit", "busy", "again"};
    std::vector<EnqueueResult> results;
    for (const Message& message : batch) {
      ++row_;
      if (message.topic == "bad") {
        results.push_back({{}, std::make_exception_ptr(std::runtime_error{"bad"})});
      } else {
        results.push_back({{{}, row_}, nullptr});
      }
    }
    return results;
  }
  void open(bool value) {
    const std::lock_guard lock{mutex_};
    open_ = value;
    changed_.notify_all();
  }
  void fail() {
    const std::lock_guard lock{mutex_};
    failing_ = true;
  }
  /// Waits until so many commits have begun.
  bool entered(int count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, kDeadline, [&] { return entered_ >= count; });
  }
  std::vector<std::vector<std::string>> batches() {
    const std::lock_guard lock{mutex_};
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  bool failing_ = false;
  int entered_ = 0;
  std::int64_t row_ = 0;
  std::vector<std::vector<std::string>> batches_;
};

struct Fixture {
  explicit Fixture(satchel::Options options = {})
      : committer{std::make_shared<Committer>(
            options,
            Committer::Ports{[kept = shelf](const std::vector<Message>& b) { return kept->commit(b); },
                             [kept = notices](const std::string& text) { kept->push_back(text); }})} {
    committer->start();
  }
  ~Fixture() {
    shelf->open(true);
    committer->close(kDeadline);
  }

  std::future<EnqueueResult> submit(const std::string& topic) {
    auto told = std::make_shared<std::promise<EnqueueResult>>();
    std::future<EnqueueResult> later = told->get_future();
    committer->submit({.topic = topic}, [told](const EnqueueResult& result) { told->set_value(result); });
    return later;
  }

  /// A commit of one message that stands at the closed door, so that all others queue up behind it.
  std::future<EnqueueResult> hold() {
    shelf->open(false);
    auto first = submit("first");
    REQUIRE(shelf->entered(1));
    return first;
  }

  std::shared_ptr<Shelf> shelf = std::make_shared<Shelf>();
  std::shared_ptr<std::vector<std::string>> notices = std::make_shared<std::vector<std::string>>();
  std::shared_ptr<Committer> committer;
};

satchel::Options limits(std::size_t batch, std::size_t queue, AsyncFull full = AsyncFull::wait,
                        milliseconds linger = milliseconds{0}) {
  satchel::Options options;
  options.async_batch = batch;
  options.async_queue = queue;
  options.async_full = full;
  options.async_linger = linger;
  return options;
}

}  // namespace

TEST_CASE("committer: what waits during a commit is committed together, in order, up to the batch limit") {
  Fixture fixture{limits(3, 100)};
  auto first = fixture.hold();
  std::vector<std::future<EnqueueResult>> later;
  for (const char* topic : {"a", "b", "c", "d"}) later.push_back(fixture.submit(topic));
  fixture.shelf->open(true);
  CHECK(first.get().id.row == 1);
  for (std::size_t index = 0; index < later.size(); ++index) {
    CHECK(later[index].get().id.row == static_cast<std::int64_t>(index) + 2);
  }
  CHECK(fixture.shelf->batches() == std::vector<std::vector<std::string>>{{"first"}, {"a", "b", "c"}, {"d"}});
}

TEST_CASE("committer: a batch is never larger than one transaction may be") {
  satchel::Options options = limits(100, 100);
  options.max_transaction_messages = 2;
  Fixture fixture{options};
  auto first = fixture.hold();
  std::vector<std::future<EnqueueResult>> later;
  for (const char* topic : {"a", "b", "c"}) later.push_back(fixture.submit(topic));
  fixture.shelf->open(true);
  for (auto& one : later) one.wait();
  CHECK(fixture.shelf->batches() == std::vector<std::vector<std::string>>{{"first"}, {"a", "b"}, {"c"}});
}

TEST_CASE("committer: a message lingers for company, and a full batch does not wait on") {
  // The longest linger: this would time out if a full batch waited for its end twenty times.
  Fixture fixture{limits(2, 100, AsyncFull::wait, milliseconds{1000})};
  const auto before = std::chrono::steady_clock::now();
  for (int round = 0; round < 20; ++round) {
    auto first = fixture.submit("a");
    auto second = fixture.submit("b");
    first.wait();
    second.wait();
  }
  CHECK(std::chrono::steady_clock::now() - before < seconds{15});
  for (const auto& batch : fixture.shelf->batches()) CHECK(batch == std::vector<std::string>{"a", "b"});
  auto alone = fixture.submit("c");
  CHECK(alone.wait_for(kDeadline) == std::future_status::ready);
  CHECK(fixture.shelf->batches().back() == std::vector<std::string>{"c"});
}

TEST_CASE("committer: a queue that is smaller than a batch is not lingered over") {
  Fixture fixture{limits(1000, 1, AsyncFull::wait, milliseconds{1000})};
  const auto before = std::chrono::steady_clock::now();
  for (int round = 0; round < 20; ++round) fixture.submit("a").wait();
  CHECK(std::chrono::steady_clock::now() - before < seconds{15});
}

TEST_CASE("committer: one bad message fails alone, a failed commit fails all, each is told once") {
  Fixture fixture;
  auto first = fixture.hold();
  auto good = fixture.submit("good");
  auto bad = fixture.submit("bad");
  auto better = fixture.submit("better");
  fixture.shelf->open(true);
  CHECK(good.get().id.row == 2);
  const EnqueueResult refused = bad.get();
  CHECK_THROWS_WITH_AS(refused.get(), "bad", std::runtime_error);
  CHECK(better.get().id.row == 4);

  fixture.shelf->fail();
  auto failed = fixture.submit("a");
  CHECK_THROWS_AS(failed.get().get(), satchel::BusyError);
}

TEST_CASE("committer: when a batch does not fit into the file, what fits alone is committed") {
  Fixture fixture;
  auto first = fixture.hold();
  auto small = fixture.submit("small");
  auto huge = fixture.submit("huge");
  auto other = fixture.submit("other");
  fixture.shelf->open(true);
  CHECK_NOTHROW(small.get().get());
  CHECK_THROWS_AS(huge.get().get(), satchel::FullError);
  CHECK_NOTHROW(other.get().get());
}

TEST_CASE("committer: at the limit of its queue it waits") {
  Fixture fixture{limits(1, 2, AsyncFull::wait)};
  auto first = fixture.hold();
  auto a = fixture.submit("a");
  auto b = fixture.submit("b");
  std::atomic<bool> through{false};
  std::promise<void> asking;
  std::thread producer{[&] {
    asking.set_value();
    auto c = fixture.submit("c");
    through = true;
    c.wait();
  }};
  asking.get_future().wait();
  CHECK_FALSE(through.load());
  fixture.shelf->open(true);
  producer.join();
  CHECK(fixture.shelf->batches().size() == 4);
}

TEST_CASE("committer: at the limit of its queue it fails") {
  Fixture fixture{limits(1, 2, AsyncFull::fail)};
  auto first = fixture.hold();
  auto a = fixture.submit("a");
  auto b = fixture.submit("b");
  CHECK_THROWS_AS(fixture.submit("c"), QueueFull);
  CHECK(fixture.committer->dropped() == 0);
  fixture.shelf->open(true);
  CHECK_NOTHROW(b.get().get());
  CHECK(fixture.shelf->batches().size() == 3);
}

TEST_CASE("committer: at the limit of its queue it drops, says so and counts it") {
  Fixture fixture{limits(1, 2, AsyncFull::drop)};
  auto first = fixture.hold();
  auto a = fixture.submit("a");
  auto b = fixture.submit("b");
  auto c = fixture.submit("c");
  REQUIRE(c.wait_for(seconds{0}) == std::future_status::ready);
  CHECK_THROWS_AS(c.get().get(), QueueFull);
  CHECK(fixture.committer->dropped() == 1);
  fixture.shelf->open(true);
  CHECK_NOTHROW(b.get().get());
  CHECK(fixture.shelf->batches().size() == 3);
}

TEST_CASE("committer: a callback that finds the queue full fails instead of waiting for itself") {
  Fixture fixture{limits(1, 1, AsyncFull::wait)};
  fixture.shelf->open(false);
  std::promise<bool> refused;
  fixture.committer->submit({.topic = "first"}, [&](const EnqueueResult&) {
    try {
      fixture.submit("from the callback");
      refused.set_value(false);
    } catch (const QueueFull&) {
      refused.set_value(true);
    }
  });
  REQUIRE(fixture.shelf->entered(1));
  auto second = fixture.submit("second");
  fixture.shelf->open(true);
  CHECK(refused.get_future().get());
  CHECK_NOTHROW(second.get().get());
}

TEST_CASE("committer: what a callback throws is reported and harms nothing") {
  Fixture fixture;
  fixture.committer->submit({.topic = "a"}, [](const EnqueueResult&) { throw std::runtime_error{"oops"}; });
  fixture.committer->submit({.topic = "b"}, [](const EnqueueResult&) { throw 7; });
  CHECK_NOTHROW(fixture.submit("c").get().get());
  REQUIRE(fixture.notices->size() == 2);
  CHECK(fixture.notices->at(0).find("oops") != std::string::npos);
}

TEST_CASE("committer: close commits what is queued and refuses what comes after") {
  Fixture fixture;
  auto first = fixture.hold();
  std::vector<std::future<EnqueueResult>> later;
  for (int number = 0; number < 50; ++number) later.push_back(fixture.submit("t"));
  std::thread opener{[&] { fixture.shelf->open(true); }};
  CHECK(fixture.committer->close(kDeadline));
  opener.join();
  for (auto& one : later) {
    REQUIRE(one.wait_for(seconds{0}) == std::future_status::ready);
    CHECK_NOTHROW(one.get().get());
  }
  CHECK_THROWS_AS(fixture.submit("late"), UsageError);
  CHECK(fixture.committer->close(seconds{0}));
}

TEST_CASE("committer: close does not wait longer than it may, and the commit goes on behind it") {
  Fixture fixture;
  auto first = fixture.hold();
  auto second = fixture.submit("second");
  CHECK_FALSE(fixture.committer->close(milliseconds{0}));
  fixture.committer.reset();
  fixture.shelf->open(true);
  CHECK_NOTHROW(first.get().get());
  CHECK_NOTHROW(second.get().get());
  fixture.committer = std::make_shared<Committer>(satchel::Options{}, Committer::Ports{});
}

TEST_CASE("committer: close wakes a producer that waits for room") {
  Fixture fixture{limits(1, 1, AsyncFull::wait)};
  auto first = fixture.hold();
  auto second = fixture.submit("second");
  std::promise<bool> refused;
  std::promise<void> asking;
  std::thread producer{[&] {
    asking.set_value();
    try {
      fixture.submit("third");
      refused.set_value(false);
    } catch (const UsageError&) {
      refused.set_value(true);
    }
  }};
  asking.get_future().wait();
  fixture.committer->close(milliseconds{0});
  CHECK(refused.get_future().get());
  producer.join();
  fixture.shelf->open(true);
  CHECK_NOTHROW(second.get().get());
}

TEST_CASE("committer: close in a callback only asks, and the thread ends by itself") {
  Fixture fixture;
  std::promise<bool> closed;
  fixture.committer->submit(
      {.topic = "a"}, [&](const EnqueueResult&) { closed.set_value(fixture.committer->close(kDeadline)); });
  CHECK_FALSE(closed.get_future().get());
}
