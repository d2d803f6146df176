// SPDX-License-Identifier: MIT
#include "bench.hpp"
#include "relay/dead_keys.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

Options blocking() {
  Options options;
  options.dead_key = DeadKey::block;
  return options;
}

ScriptedSink::Answer reject_row(std::int64_t bad) {
  return [bad](const Delivery& d) { return d.id.row == bad ? reject("bad") : delivered(); };
}

}  // namespace

TEST_CASE("dead keys: what is loaded frees the others, but not those whose death is not recorded yet") {
  DeadKeys keys;
  CHECK(keys.load({"a", "b"}).empty());
  CHECK(keys.blocks("a"));
  CHECK(keys.add(7, "c"));
  CHECK(keys.load({"b"}) == std::vector<std::string>{"a"});
  CHECK(keys.blocks("c"));
  keys.recorded(7);
  CHECK(keys.load({"b"}) == std::vector<std::string>{"c"});
  CHECK_FALSE(keys.blocks(""));
}

TEST_CASE("dead keys: at the limit no more are blocked") {
  DeadKeys keys;
  for (std::size_t i = 0; i < DeadKeys::kMost; ++i) {
    REQUIRE(keys.add(static_cast<std::int64_t>(i), std::to_string(i)));
  }
  CHECK_FALSE(keys.add(-1, "one more"));
  CHECK_FALSE(keys.blocks("one more"));
  CHECK(keys.add(-1, "5"));
}

TEST_CASE("dead keys: a dead head blocks its key until it is replayed, and nothing else") {
  Bench bench{blocking()};
  bench.sink->answer(reject_row(1));
  const Rows key = bench.put_many(5, "k");
  const Rows other = bench.put_many(3, "other");
  bench.run_for(1s);
  bench.put("k");
  bench.run_for(1s);
  CHECK(bench.sent() == Rows{key[0], other[0], other[1], other[2]});
  CHECK(bench.storage->pending() == 5);
  CHECK(bench.relay->snapshot().dead_keys == 1);
  CHECK(bench.relay->snapshot().keys == 0);
  bench.sink->answer(always(delivered()));
  REQUIRE(bench.storage->replay(key[0]));
  bench.run_for(1s);
  CHECK(bench.sent() == Rows{1, 2, 3, 4, 5, 9});
  CHECK(bench.relay->snapshot().dead_keys == 0);
}

TEST_CASE("dead keys: a discarded dead letter lets its key go on, also after a restart") {
  Bench bench{blocking()};
  bench.sink->answer(reject_row(1));
  bench.put_many(5, "k");
  bench.run_for(1s);
  bench.crash(always(delivered()));
  bench.run_for(1s);
  CHECK(bench.sent().empty());
  CHECK(bench.storage->pending() == 4);
  bench.medium->dead.clear();
  ++bench.medium->rescans;
  bench.run_for(1s);
  CHECK(bench.sent() == Rows{2, 3, 4, 5});
}

TEST_CASE("dead keys: 50,000 messages behind a dead head are read once and not remembered") {
  Bench bench{blocking()};
  bench.sink->answer(reject_row(1));
  bench.put_many(50'000, "k");
  const Rows others = bench.put_many(100);
  bench.run_for(10s);
  CHECK(bench.storage->pending() == 49'999);
  CHECK(bench.witness.count("delivered") == 100);
  const std::uint64_t rows = bench.storage->rows_read();
  CHECK(rows <= 51'000);
  bench.put_many(100);
  bench.run_for(10s);
  CHECK(bench.witness.count("delivered") == 200);
  CHECK(bench.storage->rows_read() <= rows + 200);
  const Snapshot now = bench.relay->snapshot();
  CHECK(now.keys + now.read_ahead + now.retrying == 0);
}

TEST_CASE("dead keys: by default the key goes on") {
  Bench bench;
  bench.sink->answer(reject_row(1));
  bench.put_many(3, "k");
  bench.run_for(1s);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.medium->dead.size() == 1);
}

TEST_CASE("dead keys: when there are too many it is told, and the other keys go on") {
  Bench bench{blocking()};
  bench.sink->answer(always(reject("no")));
  for (std::size_t i = 0; i <= DeadKeys::kMost; ++i) {
    MemoryMedium::Dead dead;
    dead.row.message.key = "d" + std::to_string(i);
    bench.medium->dead.emplace(-1 - static_cast<std::int64_t>(i), dead);
  }
  bench.put("k");
  bench.run_for(1s);
  // Once when they are read, and once when one more dies.
  CHECK(bench.witness.count("notice: more than 100000 keys") == 2);
  bench.sink->answer(always(delivered()));
  const std::int64_t behind = bench.put("k");
  bench.sink->take_sent();
  bench.run_for(1s);
  CHECK(bench.sent() == Rows{behind});
}

TEST_CASE("dead keys: a storage that fails while the keys are looked at is asked again") {
  Bench bench{blocking()};
  bench.sink->answer(reject_row(1));
  bench.put_many(3, "k");
  bench.run_for(1s);
  REQUIRE(bench.relay->snapshot().dead_keys == 1);
  bench.sink->answer(always(delivered()));
  bool failed = false;
  bench.storage->fail([&](StorageCall call) {
    if (call == StorageCall::dead_keys && !std::exchange(failed, true))
      throw StorageError{"look for dead keys", "the disk is busy", "wait"};
  });
  REQUIRE(bench.storage->replay(1));
  bench.run_for(1min);
  CHECK(failed);
  CHECK(bench.storage->pending() == 0);
  CHECK(bench.relay->snapshot().dead_keys == 0);
}
