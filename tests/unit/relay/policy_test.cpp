// SPDX-License-Identifier: MIT
#include "bench.hpp"
#include "relay/route.hpp"
#include "relay/window.hpp"

#include <set>

using namespace satchel;
using namespace satchel::relay;

namespace {

const Backoff kBackoff{100ms, 2.0, 1000ms};

Receipt with(Receipt receipt, std::chrono::milliseconds after) {
  receipt.after = after;
  return receipt;
}

BootTime at(std::chrono::microseconds time) { return BootTime{time}; }

}  // namespace

TEST_CASE("policy: the longest pause grows by the factor and stops at the cap") {
  CHECK(ceiling(kBackoff, 1) == 100ms);
  CHECK(ceiling(kBackoff, 2) == 200ms);
  CHECK(ceiling(kBackoff, 4) == 800ms);
  CHECK(ceiling(kBackoff, 5) == 1000ms);
  CHECK(ceiling(kBackoff, 1'000'000) == 1000ms);
  CHECK(ceiling({1ms, 100.0, std::chrono::hours{720}}, 1'000'000) == std::chrono::hours{720});
}

TEST_CASE("policy: pauses are drawn evenly from zero to the longest, the same for the same seed") {
  Jitter one{42};
  Jitter same{42};
  Jitter other{43};
  std::set<std::int64_t> seen;
  bool differs = false;
  std::int64_t sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto drawn = one.draw(99ms);
    CHECK(drawn == same.draw(99ms));
    differs = differs || drawn != other.draw(99ms);
    seen.insert(drawn.count());
    sum += drawn.count();
  }
  CHECK(differs);
  CHECK(seen.size() == 100);
  CHECK(*seen.begin() == 0);
  CHECK(*seen.rbegin() == 99);
  CHECK(sum > 480'000);
  CHECK(sum < 510'000);
  CHECK(one.draw(0ms) == 0ms);
}

TEST_CASE("policy: a peer's wish is kept, spread a little, and capped") {
  Jitter jitter{1};
  for (int i = 0; i < 100; ++i) {
    const auto pause = pause_after(kBackoff, 1, 5000ms, jitter);
    CHECK(pause >= 5000ms);
    CHECK(pause <= 5100ms);
    CHECK(pause_after(kBackoff, 1, std::chrono::hours{100'000}, jitter) <= std::chrono::hours{1} + 100ms);
  }
  CHECK(capped_wish({1ms, 1.0, std::chrono::hours{48}}, std::chrono::hours{100}) == std::chrono::hours{48});
  CHECK(capped_wish(kBackoff, -5ms) == 0ms);
}

TEST_CASE("policy: what a receipt does to a message") {
  RetryLimits limits;
  limits.max_attempts = 3;
  CHECK(decide(delivered(), 2, 0ms, limits).act == Act::deliver);
  CHECK(decide(down("x"), 2, 0ms, limits).act == Act::give_back);
  CHECK(decide(down("x"), 2, 0ms, limits).attempts == 2);
  CHECK(decide(blocked("x"), 2, 0ms, limits).act == Act::hold);
  CHECK(decide(reject("x"), 0, 0ms, limits).act == Act::die);
  CHECK(decide(reject("x"), 0, 0ms, limits).reason == DeadReason::rejected);
  CHECK(decide(retry("x"), 1, 0ms, limits).act == Act::fail);
  CHECK(decide(retry("x"), 1, 0ms, limits).attempts == 2);
  CHECK(decide(retry("x"), 2, 0ms, limits).act == Act::die);
  CHECK(decide(retry("x"), 2, 0ms, limits).reason == DeadReason::attempts);
}

TEST_CASE("policy: age kills at the failure that finds it, and only where it is limited") {
  RetryLimits limits;
  limits.max_attempts = 100;
  CHECK(decide(retry("x"), 1, std::chrono::hours{9999}, limits).act == Act::fail);
  limits.max_age = 1000ms;
  CHECK(decide(retry("x"), 1, 999ms, limits).act == Act::fail);
  CHECK(decide(retry("x"), 1, 1000ms, limits).act == Act::die);
  CHECK(decide(retry("x"), 1, 1000ms, limits).reason == DeadReason::age);
}

TEST_CASE("window: after an outage it starts at one and doubles with every full round") {
  Window window{20};
  CHECK(window.limit(100) == 20);
  CHECK(window.limit(7) == 7);
  CHECK(window.limit(0) == 1);
  window.outage();
  std::vector<std::size_t> rounds;
  for (int i = 0; i < 6; ++i) {
    rounds.push_back(window.limit(100));
    for (std::size_t n = rounds.back(); n > 0; --n) window.delivered(1ms);
  }
  CHECK(rounds == std::vector<std::size_t>{1, 2, 4, 8, 16, 20});
}

TEST_CASE("window: a large one is topped up by quarters, a small one at once") {
  const BootTime now{5s};
  Window large{100};
  CHECK(large.room(0, 1000, now) == 100);
  CHECK(large.room(76, 1000, now) == 0);
  CHECK(large.room(75, 1000, now) == 25);
  Window small{10};
  CHECK(small.room(9, 1000, now) == 1);
  CHECK(small.room(12, 1000, now) == 0);
  CHECK_FALSE(small.next());
}

TEST_CASE("window: less than a quarter waits for a millisecond, or for a small part of a long round trip") {
  const BootTime now{5s};
  Window window{100};
  CHECK(window.room(90, 1000, now) == 0);
  CHECK(window.next() == now + 1ms);
  // More that becomes free does not make it wait for longer.
  CHECK(window.room(80, 1000, now + 500us) == 0);
  CHECK(window.next() == now + 1ms);
  CHECK(window.room(80, 1000, now + 1ms) == 20);
  window.handed_over();
  CHECK_FALSE(window.next());
  for (int i = 0; i < 100; ++i) window.delivered(640ms);
  CHECK(window.room(90, 1000, now) == 0);
  CHECK(window.room(90, 1000, now + 9ms) == 0);
  CHECK(window.room(90, 1000, now + 10ms) == 10);
}

TEST_CASE("route: one outage counts once, however often it is reported") {
  Options options;
  options.probe_backoff = {100ms, 2.0, 10'000ms};
  Jitter jitter{3};
  Route route{options};
  CHECK_FALSE(route.fall(down("x"), at(0s), jitter));
  route.want(at(0s));
  CHECK(route.probe_due(at(0s)));
  route.probing(at(0s));
  CHECK(route.state() == Route::State::connecting);
  CHECK(route.rise(at(1s)));
  CHECK_FALSE(route.rise(at(1s)));
  CHECK(route.session() == 1);
  const auto pause = route.fall(down("x"), at(2s), jitter);
  REQUIRE(pause);
  CHECK(*pause <= 100ms);
  CHECK_FALSE(route.fall(down("x"), at(2s), jitter));
  CHECK(route.state() == Route::State::down);
  CHECK(route.next() == at(2s) + *pause);
}

TEST_CASE("route: an up that nobody asked for does not cut a pause short") {
  Options options;
  Jitter jitter{3};
  Route route{options};
  route.want(at(0s));
  route.probing(at(0s));
  CHECK(route.fall(with(down("x"), 60s), at(0s), jitter));
  CHECK_FALSE(route.rise(at(1s)));
  CHECK_FALSE(route.probe_due(at(59s)));
  CHECK(route.probe_due(at(62s)));
}

TEST_CASE("route: a second report may lengthen the pause and turn an outage into a block") {
  Options options;
  options.probe_backoff = {100ms, 2.0, 1000ms};
  options.blocked_probe = 300s;
  Jitter jitter{3};
  Route route{options};
  route.want(at(0s));
  route.probing(at(0s));
  CHECK(route.fall(down("x"), at(0s), jitter));
  CHECK_FALSE(route.fall(with(down("x"), 20s), at(0s), jitter));
  CHECK_FALSE(route.probe_due(at(19s)));
  const auto pause = route.fall(blocked("credentials"), at(1s), jitter);
  REQUIRE(pause);
  CHECK(*pause >= 300s);
  CHECK(*pause <= 330s);
  CHECK(route.state() == Route::State::blocked);
  CHECK_FALSE(route.fall(down("x"), at(2s), jitter));
  CHECK(route.state() == Route::State::blocked);
}

TEST_CASE("route: failures are forgotten only after a stable time") {
  Options options;
  options.probe_backoff = {100ms, 2.0, 100'000ms};
  options.stable_after = 30s;
  Jitter jitter{5};
  Route route{options};
  route.want(at(0s));
  BootTime now = at(0s);
  const auto longest_of = [&](std::chrono::seconds up) {
    route.probing(now);
    route.rise(now);
    now += up;
    return *route.fall(down("x"), now, jitter);
  };
  for (int i = 0; i < 12; ++i) longest_of(29s);
  std::chrono::milliseconds flapping{0};
  for (int i = 0; i < 20; ++i) flapping = std::max(flapping, longest_of(29s));
  CHECK(flapping > 10'000ms);
  for (int i = 0; i < 20; ++i) CHECK(longest_of(30s) <= 100ms);
}

TEST_CASE("route: only the time up is counted") {
  Options options;
  Jitter jitter{5};
  Route route{options};
  route.want(at(0s));
  route.probing(at(0s));
  route.rise(at(10s));
  CHECK(route.up_total(at(15s)) == 5s);
  route.fall(down("x"), at(20s), jitter);
  CHECK(route.up_total(at(500s)) == 10s);
  route.probing(at(500s));
  route.rise(at(501s));
  route.leave(at(503s));
  CHECK(route.up_total(at(900s)) == 12s);
}
