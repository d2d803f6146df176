// SPDX-License-Identifier: MIT
#include "routes_bench.hpp"

#include <set>

using namespace satchel;
using namespace satchel::relay;

namespace {

Options narrow() {
  Options options;
  options.window = 2;
  options.batch_size = 10;
  return options;
}

RouteOptions draining(Drain drain) {
  RouteOptions route = route_of("telemetry");
  route.drain = drain;
  return route;
}

bool in_order_of_keys(const std::vector<Delivery>& sent) {
  std::map<std::string, std::int64_t> last;
  return std::all_of(sent.begin(), sent.end(), [&](const Delivery& d) {
    if (d.key.empty()) return true;
    return std::exchange(last[d.key], d.id.row) < d.id.row;
  });
}

}  // namespace

TEST_CASE("drain: the newest goes first, then what waits from the newest back") {
  RoutesBench bench{{draining(Drain::newest_first)}, narrow()};
  for (int i = 0; i < 100; ++i) bench.put("t");
  bench.sinks[0]->answer({});
  bench.run();
  CHECK(bench.under_way(0) == Rows{100, 99});
  Rows fresh;
  for (int i = 0; i < 5; ++i) fresh.push_back(bench.put("t"));
  bench.sinks[0]->take_sent();
  bench.sinks[0]->answer(always(delivered()));
  bench.sinks[0]->reply_all(delivered());
  bench.run_for(1s);
  const Rows sent = bench.sent(0);
  REQUIRE(sent.size() == 103);
  CHECK(Rows(sent.begin(), sent.begin() + 5) == fresh);
  CHECK(std::is_sorted(sent.rbegin(), sent.rbegin() + 98));
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("drain: interleaved, what is new and what waits take turns") {
  RoutesBench bench{{draining(Drain::interleaved)}, narrow()};
  for (int i = 0; i < 50; ++i) bench.put("t");
  bench.sinks[0]->answer({});
  bench.run();
  CHECK(bench.under_way(0) == Rows{1, 2});
  for (int i = 0; i < 20; ++i) bench.put("t");
  bench.sinks[0]->take_sent();
  bench.sinks[0]->answer(always(delivered()));
  bench.sinks[0]->reply_all(delivered());
  bench.run_for(1s);
  const Rows sent = bench.sent(0);
  REQUIRE(sent.size() == 68);
  const auto fresh =
      std::count_if(sent.begin(), sent.begin() + 40, [](std::int64_t row) { return row > 50; });
  CHECK(fresh >= 19);
  CHECK(fresh <= 20);
  CHECK(bench.storage->pending() == 0);
}

TEST_CASE("drain: keys keep their order, through outages, and nothing is left or sent twice") {
  for (const Drain drain : {Drain::newest_first, Drain::interleaved}) {
    CAPTURE(static_cast<int>(drain));
    Options options = narrow();
    options.window = 5;
    RoutesBench bench{{draining(drain)}, options};
    int answers = 0;
    bench.sinks[0]->answer([&](const Delivery&) -> std::optional<Receipt> {
      if (++answers % 50 == 0) return down("lost");
      return delivered();
    });
    for (int i = 0; i < 600; ++i) {
      bench.put("t", i % 3 == 0 ? "" : "k" + std::to_string(i % 7));
      if (i % 100 == 0) bench.run_for(2s);
    }
    bench.run_for(std::chrono::hours{2});
    CHECK(bench.storage->pending() == 0);
    std::vector<Delivery> sent = bench.sinks[0]->take_sent();
    std::set<std::int64_t> rows;
    CHECK(sent.size() <= 600 + 600 / 49 + 1);
    CHECK(bench.relay->snapshot().keys == 0);
    // One that came back is sent again, behind some that were sent before.
    std::vector<Delivery> first_copies;
    for (const Delivery& one : sent) {
      if (rows.insert(one.id.row).second) first_copies.push_back(one);
    }
    CHECK(first_copies.size() == 600);
    CHECK(in_order_of_keys(first_copies));
  }
}

TEST_CASE("drain: a backlog of 50,000 is read once, in bounded memory, while new ones go through at once") {
  Options options;
  RoutesBench bench{{draining(Drain::newest_first)}, options};
  for (int i = 0; i < 50'000; ++i) bench.put("t");
  std::uint64_t most_ahead = 0;
  int sent = 0;
  bench.sinks[0]->answer([&](const Delivery& d) {
    if (d.id.row > 50'000) CHECK(sent < 40'000);
    if (++sent == 30'000) bench.put("t");
    return delivered();
  });
  int rounds = 0;
  while (bench.relay->step()) {
    REQUIRE(++rounds < 100'000);
    most_ahead = std::max(most_ahead, bench.relay->snapshot().read_ahead);
  }
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
  CHECK(most_ahead <= 2 * options.batch_size);
  CHECK(bench.storage->rows_read() <= 50'200);
}
