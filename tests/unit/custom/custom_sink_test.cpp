// SPDX-License-Identifier: MIT
#include <satchel/custom_sink.hpp>
#include <satchel/error.hpp>
#include <satchel/testing/sink_conformance.hpp>

#include "support/deliveries.hpp"
#include "support/sink_recorder.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

using namespace satchel;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::deliveries;
using support::delivery;
using support::SinkRecorder;

namespace {

// Lets functions wait until the test is ready for them.
class Gate {
 public:
  void pass() {
    std::unique_lock lock{mutex_};
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --entered_;
    changed_.notify_all();
  }
  void wait_entered() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return entered_ > 0; });
  }
  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  void close() {
    const std::lock_guard lock{mutex_};
    open_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int entered_ = 0;
  bool open_ = false;
};

// Sends to a started sink and returns the receipts in the order in which they came.
std::vector<Receipt> send_to(CustomSink& sink, std::vector<Delivery> batch) {
  SinkRecorder recorder;
  sink.start(recorder);
  sink.resume();
  REQUIRE(recorder.wait_up());
  const std::size_t count = batch.size();
  sink.send(std::move(batch));
  auto receipts = recorder.wait_receipts(count);
  sink.stop(seconds{5});
  REQUIRE(receipts.size() == count);
  return receipts;
}

// A peer that may be told to be silent, behind a blocking or an asynchronous function.
class CustomFixture final : public satchel::testing::SinkFixture {
 public:
  explicit CustomFixture(bool asynchronous) : asynchronous_{asynchronous} { gate_->open(); }
  ~CustomFixture() override { gate_->open(); }
  std::unique_ptr<Sink> make() override {
    const auto gate = gate_;
    if (!asynchronous_) {
      return std::make_unique<CustomSink>(satchel::sink([gate](const Message&) {
        gate->pass();
        return delivered();
      }));
    }
    return std::make_unique<CustomSink>(satchel::sink([gate](const Message&, Completion done) {
      std::thread{[gate, done] {
        gate->pass();
        done(delivered());
      }}.detach();
    }));
  }
  bool silence_peer() override {
    gate_->close();
    return true;
  }
  void restore_peer() override { gate_->open(); }

 private:
  const bool asynchronous_;
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

}  // namespace

TEST_CASE("custom sink: keeps the rules of every sink") {
  for (const bool asynchronous : {false, true}) {
    for (const auto& check : satchel::testing::all_sink_checks()) {
      CAPTURE(asynchronous);
      CAPTURE(check.name);
      CustomFixture fixture{asynchronous};
      CHECK_NOTHROW(check.run(fixture));
    }
  }
}

TEST_CASE("custom sink: a function of the message, in order, on a thread of its own") {
  std::vector<std::string> seen;
  std::thread::id thread;
  auto sink = satchel::sink([&](const Message& message) {
    seen.push_back(message.topic + '=' + message.payload);
    thread = std::this_thread::get_id();
    return delivered();
  });
  auto batch = deliveries(1, 3);
  for (auto& one : batch) one.payload = std::to_string(one.claim);
  std::uint64_t claim = 0;
  for (const Receipt& receipt : send_to(sink, batch)) {
    CHECK(receipt.verdict == Verdict::delivered);
    CHECK(receipt.claim == ++claim);
  }
  CHECK(seen == std::vector<std::string>{"t=1", "t=2", "t=3"});
  CHECK(thread != std::this_thread::get_id());
}

TEST_CASE("custom sink: the message has everything that the application gave it") {
  Message seen;
  auto sink = satchel::sink([&](const Message& message) {
    seen = message;
    return delivered();
  });
  Delivery full = delivery(1, "topic", "payload");
  full.key = "key";
  full.content_type = "text/plain";
  full.headers = {{"a", "b"}};
  full.remaining = seconds{7};
  send_to(sink, {full});
  CHECK(seen.topic == "topic");
  CHECK(seen.payload == "payload");
  CHECK(seen.key == "key");
  CHECK(seen.content_type == "text/plain");
  CHECK(seen.headers == full.headers);
  CHECK(seen.expires_after == seconds{7});
}

TEST_CASE("custom sink: a function of the delivery sees the id") {
  std::string id;
  auto sink = satchel::sink([&](const Delivery& one) {
    id = one.id.to_string();
    return delivered();
  });
  send_to(sink, {delivery(7)});
  CHECK(id == delivery(7).id.to_string());
}

TEST_CASE("custom sink: a function that can only be moved, and one that is not const") {
  auto sink = satchel::sink([calls = std::make_unique<int>(0)](const Message&) mutable {
    return ++*calls == 2 ? reject("the second") : delivered();
  });
  const auto receipts = send_to(sink, deliveries(1, 2));
  CHECK(receipts[0].verdict == Verdict::delivered);
  CHECK(receipts[1].verdict == Verdict::reject);
  CHECK(receipts[1].reason == "the second");
}

TEST_CASE("custom sink: every verdict is passed on as it is") {
  auto sink = satchel::sink([](const Delivery& one) -> Receipt {
    switch (one.claim) {
      case 1:
        return retry("later", seconds{3});
      case 2:
        return down("away", seconds{4});
      default:
        return blocked("locked");
    }
  });
  const auto receipts = send_to(sink, deliveries(1, 3));
  CHECK(receipts[0].verdict == Verdict::retry);
  CHECK(receipts[0].after == seconds{3});
  CHECK(receipts[1].verdict == Verdict::down);
  CHECK(receipts[1].after == seconds{4});
  CHECK(receipts[2].verdict == Verdict::blocked);
}

TEST_CASE("custom sink: what the function throws is answered with retry") {
  SUBCASE("blocking") {
    auto sink = satchel::sink([](const Delivery& one) -> Receipt {
      if (one.claim == 1) throw std::runtime_error{"the port is stuck"};
      throw 7;
    });
    const auto receipts = send_to(sink, deliveries(1, 2));
    CHECK(receipts[0].verdict == Verdict::retry);
    CHECK(receipts[0].reason == "the sink function threw: the port is stuck");
    CHECK(receipts[1].verdict == Verdict::retry);
  }
  SUBCASE("asynchronous") {
    auto sink = satchel::sink([](const Message&, const Completion&) { throw std::runtime_error{"no"}; });
    CHECK(send_to(sink, {delivery(1)})[0].verdict == Verdict::retry);
  }
  SUBCASE("asynchronous, after the answer") {
    auto sink = satchel::sink([](const Message&, const Completion& done) {
      done(delivered());
      throw std::runtime_error{"no"};
    });
    CHECK(send_to(sink, {delivery(1)})[0].verdict == Verdict::delivered);
  }
}

TEST_CASE("custom sink: completions are answered later, in any order, from any thread, and once") {
  std::vector<Completion> open;
  std::promise<void> all_in;
  auto sink = satchel::sink([&](const Message&, Completion done) {
    open.push_back(std::move(done));
    if (open.size() == 3) all_in.set_value();
  });
  SinkRecorder recorder;
  sink.start(recorder);
  sink.resume();
  sink.send(deliveries(1, 3));
  all_in.get_future().wait();
  open[2](delivered());
  open[2](reject("too late"));
  open[0](reject("no"));
  open[1](delivered());
  const auto receipts = recorder.wait_receipts(3);
  REQUIRE(receipts.size() == 3);
  CHECK(receipts[0].claim == 3);
  CHECK(receipts[0].verdict == Verdict::delivered);
  CHECK(receipts[1].claim == 1);
  sink.stop(seconds{5});
  CHECK(recorder.wait_receipts(3).size() == 3);
}

TEST_CASE("custom sink: a completion that is dropped is answered with retry") {
  auto sink = satchel::sink([](const Message&, const Completion&) {});
  const auto receipts = send_to(sink, {delivery(1)});
  CHECK(receipts[0].verdict == Verdict::retry);
}

TEST_CASE("custom sink: a completion outlives its sink") {
  std::vector<Completion> open;
  std::promise<void> in;
  SinkRecorder recorder;
  {
    auto sink = satchel::sink([&](const Message&, Completion done) {
      open.push_back(std::move(done));
      in.set_value();
    });
    sink.start(recorder);
    sink.resume();
    sink.send({delivery(1)});
    in.get_future().wait();
  }
  const auto receipts = recorder.wait_receipts(1);
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].verdict == Verdict::down);
  CHECK(receipts[0].exposed);
  open[0](delivered());
  open.clear();
  CHECK(recorder.wait_receipts(1).size() == 1);
}

TEST_CASE(
    "custom sink: stop returns in time while the function hangs, and gives back what has not begun as not "
    "exposed") {
  const auto gate = std::make_shared<Gate>();
  SinkRecorder recorder;
  auto sink = satchel::sink([gate](const Message&) {
    gate->pass();
    return delivered();
  });
  sink.start(recorder);
  sink.resume();
  sink.send(deliveries(1, 3));
  gate->wait_entered();
  const auto begin = std::chrono::steady_clock::now();
  sink.stop(milliseconds{100});
  CHECK(std::chrono::steady_clock::now() - begin < seconds{2});
  const auto receipts = recorder.wait_receipts(3);
  REQUIRE(receipts.size() == 3);
  for (const Receipt& receipt : receipts) {
    CHECK(receipt.verdict == Verdict::down);
    CHECK(receipt.exposed == (receipt.claim == 1));
  }
  gate->open();
}

TEST_CASE("custom sink: stop waits for the answer that is under way") {
  const auto gate = std::make_shared<Gate>();
  SinkRecorder recorder;
  auto sink = satchel::sink([gate](const Message&) {
    gate->pass();
    return delivered();
  });
  sink.start(recorder);
  sink.resume();
  sink.send({delivery(1)});
  gate->wait_entered();
  std::thread stopper{[&] { sink.stop(seconds{20}); }};
  gate->open();
  stopper.join();
  const auto receipts = recorder.wait_receipts(1);
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].verdict == Verdict::delivered);
}

TEST_CASE("custom sink: options are checked") {
  CHECK_THROWS_AS(satchel::sink([](const Message&) { return delivered(); }, {.name = "x", .capacity = 0}),
                  InvalidOption);
  CHECK_THROWS_AS(
      satchel::sink([](const Message&) { return delivered(); }, {.name = "x", .capacity = 65'536}),
      InvalidOption);
  CHECK_THROWS_AS(CustomSink(CustomSink::Blocking{}, {}), InvalidOption);
  const auto sink =
      satchel::sink([](const Message&) { return delivered(); }, {.name = "uart", .capacity = 65'535});
  CHECK(sink.name() == "uart");
  CHECK(sink.capacity() == 65'535);
}
