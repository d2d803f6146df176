// SPDX-License-Identifier: MIT
#include "sinks/http/batcher.hpp"

#include "support/deliveries.hpp"

#include <doctest/doctest.h>

using namespace satchel::http;
using std::chrono::milliseconds;

namespace {

constexpr Moment kStart{std::chrono::hours{1}};

Item item(std::uint64_t claim, const std::string& url = "u", std::size_t size = 10, int attempts = 0) {
  Item made;
  made.delivery = support::delivery(claim);
  made.delivery.attempts = attempts;
  made.url = url;
  made.encoded.assign(size, 'x');
  return made;
}

std::vector<std::uint64_t> claims(const std::optional<Batch>& batch) {
  std::vector<std::uint64_t> all;
  if (batch) {
    for (const Item& one : *batch) all.push_back(one.delivery.claim);
  }
  return all;
}

using Claims = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("http batcher: single messages are ready at once, in order") {
  Batcher batcher{{}};
  CHECK_FALSE(batcher.take(kStart));
  CHECK_FALSE(batcher.next_ready());
  batcher.add(item(1), kStart);
  batcher.add(item(2), kStart);
  CHECK(batcher.next_ready() <= kStart);
  CHECK(claims(batcher.take(kStart)) == Claims{1});
  CHECK(claims(batcher.take(kStart)) == Claims{2});
  CHECK_FALSE(batcher.take(kStart));
}

TEST_CASE("http batcher: a batch is ready when it is full or its first message has waited long enough") {
  Batcher batcher{{.count = 3, .bytes = 1000, .linger = milliseconds{20}}};
  for (std::uint64_t claim = 1; claim <= 4; ++claim) batcher.add(item(claim), kStart + milliseconds{claim});
  CHECK(claims(batcher.take(kStart)) == Claims{1, 2, 3});
  CHECK_FALSE(batcher.take(kStart + milliseconds{23}));
  CHECK(batcher.next_ready() == kStart + milliseconds{24});
  CHECK(claims(batcher.take(kStart + milliseconds{24})) == Claims{4});
}

TEST_CASE("http batcher: bytes are counted with what joins the items, and one larger message goes alone") {
  // [aaaa,bbbb] are 11 bytes.
  Batcher batcher{{.count = 100, .bytes = 11, .linger = milliseconds{20}}};
  batcher.add(item(1, "u", 4), kStart);
  batcher.add(item(2, "u", 4), kStart);
  batcher.add(item(3, "u", 50), kStart);
  batcher.add(item(4, "u", 4), kStart);
  CHECK(claims(batcher.take(kStart)) == Claims{1, 2});
  CHECK(claims(batcher.take(kStart)) == Claims{3});
  CHECK_FALSE(batcher.take(kStart));
  batcher.add(item(5, "u", 5), kStart);
  CHECK(claims(batcher.take(kStart)) == Claims{4});
}

TEST_CASE("http batcher: messages of different addresses do not share a batch") {
  Batcher batcher{{.count = 2, .bytes = 1000, .linger = milliseconds{20}}};
  batcher.add(item(1, "a"), kStart);
  batcher.add(item(2, "b"), kStart);
  batcher.add(item(3, "a"), kStart);
  CHECK(claims(batcher.take(kStart)) == Claims{1, 3});
  CHECK(claims(batcher.take(kStart + milliseconds{20})) == Claims{2});
}

TEST_CASE("http batcher: a message that failed before goes alone and holds nobody up") {
  Batcher batcher{{.count = 2, .bytes = 1000, .linger = milliseconds{20}}};
  batcher.add(item(1), kStart);
  batcher.add(item(2, "u", 10, 1), kStart);
  CHECK(claims(batcher.take(kStart)) == Claims{2});
  batcher.add(item(3), kStart);
  CHECK(claims(batcher.take(kStart)) == Claims{1, 3});
}

TEST_CASE("http batcher: halves come before everything else, and drain forgets nothing") {
  Batcher batcher{{.count = 2, .bytes = 1000, .linger = milliseconds{20}}};
  batcher.add(item(1), kStart);
  batcher.add(item(2), kStart);
  batcher.add(item(3), kStart);
  Batch half;
  half.push_back(item(9));
  batcher.add_first(std::move(half));
  CHECK(claims(batcher.take(kStart)) == Claims{9});
  CHECK(claims(batcher.drain()) == Claims{1, 2, 3});
  CHECK_FALSE(batcher.next_ready());
  CHECK(batcher.drain().empty());
}
