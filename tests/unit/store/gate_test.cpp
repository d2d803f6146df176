// SPDX-License-Identifier: MIT
#include "store/gate.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

using satchel::store::Gate;

namespace {

/// Waits, without sleeping, until so many stand in line.
void until_waiting(const Gate& gate, std::size_t count) {
  while (gate.waiting() < count) std::this_thread::yield();
}

}  // namespace

TEST_CASE("gate: the turn goes round in the order of arrival") {
  Gate gate;
  gate.enter();
  CHECK(gate.held_by_this_thread());
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&, i] {
      gate.enter();
      order.push_back(i);
      gate.leave();
    });
    until_waiting(gate, static_cast<std::size_t>(i) + 1);
  }
  gate.leave();
  for (std::thread& thread : threads) thread.join();
  REQUIRE(order.size() == 20);
  for (int i = 0; i < 20; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  CHECK_FALSE(gate.held_by_this_thread());
}

TEST_CASE("gate: a relay leaves a request and is called when its turn has come, in order") {
  Gate gate;
  const int relay = 0;
  std::promise<void> called;
  gate.enter();
  CHECK_FALSE(gate.enter_or_request(&relay, [&] { called.set_value(); }));
  CHECK_FALSE(gate.enter_or_request(&relay, [] { FAIL("one request is enough"); }));
  CHECK(gate.waiting() == 1);
  std::atomic<bool> passed{false};
  std::thread behind{[&] {
    gate.enter();
    passed = true;
    gate.leave();
  }};
  until_waiting(gate, 2);
  const auto reserved = std::chrono::steady_clock::now();
  gate.leave();
  REQUIRE(called.get_future().wait_for(std::chrono::seconds{60}) == std::future_status::ready);
  // Whether the relay comes in time, or so late that the one behind it has come and gone: each gets its turn.
  if (gate.enter_or_request(&relay, [] {})) {
    CHECK(gate.held_by_this_thread());
    CHECK((!passed.load() || std::chrono::steady_clock::now() - reserved >= Gate::kReserved));
    gate.leave();
  }
  behind.join();
  CHECK(passed.load());
  gate.forget(&relay);
}

TEST_CASE("gate: a relay that does not come holds nobody up") {
  Gate gate;
  const int relay = 0;
  gate.enter();
  std::thread asker{[&] { CHECK_FALSE(gate.enter_or_request(&relay, [] {})); }};
  asker.join();
  gate.leave();
  // The turn is reserved now; this thread waits for the end of the reservation, not for ever.
  gate.enter();
  CHECK(gate.held_by_this_thread());
  gate.leave();
}

TEST_CASE("gate: a relay on the thread that asks does not make it wait for itself") {
  Gate gate;
  const int relay = 0;
  gate.enter();
  CHECK_FALSE(gate.enter_or_request(&relay, [] {}));
  gate.leave();
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    gate.enter();
    CHECK_FALSE(gate.enter_or_request(&relay, [] {}));
    gate.leave();
  }
  CHECK(std::chrono::steady_clock::now() - before < Gate::kReserved * 50);
}

TEST_CASE("gate: a forgotten request is not called and blocks nobody") {
  Gate gate;
  const int relay = 0;
  gate.enter();
  CHECK_FALSE(gate.enter_or_request(&relay, [] { FAIL("it was forgotten"); }));
  gate.forget(&relay);
  CHECK(gate.waiting() == 0);
  gate.leave();
  gate.enter();
  gate.leave();
}

TEST_CASE("gate: a relay that ceases while its turn is reserved passes it on to the next relay") {
  Gate gate;
  const int relay = 0;
  const int other = 0;
  int called = 0;
  int other_called = 0;
  gate.enter();
  REQUIRE_FALSE(gate.enter_or_request(&relay, [&] { ++called; }));
  REQUIRE_FALSE(gate.enter_or_request(&other, [&] { ++other_called; }));
  gate.leave();
  CHECK(called == 1);
  CHECK(other_called == 0);

  SUBCASE("it forgets its request") {
    gate.forget(&relay);
    CHECK(other_called == 1);
    CHECK(gate.enter_or_request(&other, [] {}));
    gate.leave();
  }
  SUBCASE("its own thread asks for something else") {
    gate.enter();
    CHECK(other_called == 1);
    CHECK(gate.held_by_this_thread());
    gate.leave();
  }
}

TEST_CASE("gate: many threads and a relay never hold it at once") {
  Gate gate;
  std::atomic<int> inside{0};
  std::atomic<bool> overlap{false};
  const auto work = [&] {
    if (++inside != 1) overlap = true;
    --inside;
    gate.leave();
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        gate.enter();
        work();
      }
    });
  }
  const int relay = 0;
  threads.emplace_back([&] {
    for (int got = 0; got < 200;) {
      if (gate.enter_or_request(&relay, [] {})) {
        ++got;
        work();
      }
    }
    gate.forget(&relay);
  });
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(overlap.load());
}
