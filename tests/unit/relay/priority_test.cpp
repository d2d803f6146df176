// SPDX-License-Identifier: MIT
#include "routes_bench.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

std::int64_t put(MemoryStorage& storage, Priority priority, const std::string& key = {}) {
  return storage.save({.topic = "t", .payload = "p", .key = key, .priority = priority}).row;
}

/// One message at a time, so that the order of hand-over is the order of sending.
Options one_by_one() {
  Options options;
  options.window = 1;
  return options;
}

}  // namespace

TEST_CASE("priority: an urgent message overtakes a backlog within one window") {
  Options options;
  options.window = 10;
  Bench bench{options};
  bench.put_many(20'000);
  bench.run();
  CHECK(bench.under_way().size() == 10);
  const std::int64_t urgent = put(*bench.storage, Priority::urgent);
  const std::int64_t keyed = put(*bench.storage, Priority::urgent, "k");
  bench.run();
  bench.sink->reply_all(delivered());
  bench.run();
  const Rows next = bench.under_way();
  REQUIRE(next.size() == 10);
  CHECK(next[0] == urgent);
  CHECK(next[1] == keyed);
}

TEST_CASE("priority: bulk waits for the others but for its share") {
  Options options = one_by_one();
  options.bulk_share = 4;
  Bench bench{options};
  bench.sink->answer(always(delivered()));
  for (int i = 0; i < 100; ++i) put(*bench.storage, Priority::bulk);
  bench.put_many(30);
  bench.run_for(10s);
  const Rows sent = bench.sent();
  REQUIRE(sent.size() == 130);
  std::size_t bulk = 0;
  for (std::size_t i = 0; i < 40; ++i) bulk += sent[i] <= 100 ? 1 : 0;
  CHECK(bulk == 10);
  CHECK(std::is_sorted(sent.begin() + 41, sent.end()));
}

TEST_CASE("priority: with a share of zero bulk goes last, and with one first") {
  for (const std::size_t share : {std::size_t{0}, std::size_t{1}}) {
    CAPTURE(share);
    Options options = one_by_one();
    options.bulk_share = share;
    Bench bench{options};
    bench.sink->answer(always(delivered()));
    const Rows normal = bench.put_many(3);
    const std::int64_t bulk = put(*bench.storage, Priority::bulk);
    bench.run_for(1s);
    CHECK(bench.sent() == (share == 0 ? Rows{normal[0], normal[1], normal[2], bulk}
                                      : Rows{bulk, normal[0], normal[1], normal[2]}));
  }
}

TEST_CASE("priority: order holds within a key and a priority, also after an outage") {
  Bench bench;
  Rows urgent;
  Rows bulk;
  for (int i = 0; i < 50; ++i) {
    urgent.push_back(put(*bench.storage, Priority::urgent, "k"));
    bulk.push_back(put(*bench.storage, Priority::bulk, "k"));
  }
  bench.run();
  CHECK(bench.under_way() == Rows{urgent[0], bulk[0]});
  bench.sink->fall();
  bench.run();
  bench.sink->take_sent();
  bench.sink->answer(always(delivered()));
  bench.run_for(60s);
  Rows sent_urgent;
  Rows sent_bulk;
  for (const std::int64_t row : bench.sent()) (row % 2 == 1 ? sent_urgent : sent_bulk).push_back(row);
  CHECK(sent_urgent == urgent);
  CHECK(sent_bulk == bulk);
}

TEST_CASE("priority: without any, a backlog costs one read a batch, and a change one") {
  Bench bench;
  bench.sink->answer(always(delivered()));
  bench.put_many(10'000);
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.storage->reads() <= 10'000 / bench.options.batch_size + 10);
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t reads = bench.storage->reads();
    bench.put();
    bench.run_for(1s);
    // The second one looks once more from the first row on.
    CHECK(bench.storage->reads() <= reads + 2);
  }
}
