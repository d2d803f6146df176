// SPDX-License-Identifier: MIT
#include "bodies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>

using namespace satchel;
using namespace support;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Refuses a request when a poisoned id is in it, takes it otherwise, and remembers what it took.
class Picky {
 public:
  Picky(std::set<std::string> poison, int status) : poison_{std::move(poison)}, status_{status} {}
  HttpReply operator()(const HttpRequest& request) {
    const Json body = parse(request.body);
    for (const auto& item : body.GetArray()) {
      if (poison_.contains(text(item, "id"))) return HttpReply::of(status_, {}, "bad item");
    }
    for (const auto& item : body.GetArray()) taken.insert(text(item, "id"));
    return HttpReply::of(200);
  }
  std::multiset<std::string> taken;

 private:
  std::set<std::string> poison_;
  int status_;
};

}  // namespace

TEST_CASE("http: a batch is cut by count, by bytes, by topic where the address has it, and by time") {
  auto options = mode(HttpBody::json_array);
  options.batch.linger = milliseconds{1};
  SUBCASE("count") {
    options.batch.max_count = 4;
    std::vector<Delivery> batch;
    for (std::uint64_t claim = 1; claim <= 10; ++claim) batch.push_back(json_message(claim, "1"));
    for (const auto& request : taken(options, batch)) CHECK(parse(request.body).Size() <= 4);
  }
  SUBCASE("bytes, and one message that is larger alone") {
    options.batch.max_bytes = 1024;
    std::vector<Delivery> batch;
    for (std::uint64_t claim = 1; claim <= 20; ++claim) batch.push_back(json_message(claim, "1"));
    batch.push_back(json_message(21, '"' + std::string(5000, 'x') + '"'));
    std::size_t large = 0;
    for (const auto& request : taken(options, batch)) {
      if (request.body.size() > 1024) ++large;
      if (request.body.size() > 1024) CHECK(parse(request.body).Size() == 1);
    }
    CHECK(large == 1);
  }
  SUBCASE("topic") {
    options.url = "/{topic}";
    const auto requests =
        taken(options, {json_message(1, "1", "a"), json_message(2, "2", "b"), json_message(3, "3", "a")});
    CHECK(requests.size() == 2);
  }
  SUBCASE("time") {
    options.batch.linger = milliseconds{30};
    const auto begin = std::chrono::steady_clock::now();
    CHECK(taken(options, {json_message(1, "1")}).size() == 1);
    CHECK(std::chrono::steady_clock::now() - begin >= milliseconds{30});
  }
}

TEST_CASE(
    "http: a rejected batch is halved until the poison message stands alone; the others are delivered once") {
  for (const int status : {400, 413, 422}) {
    CAPTURE(status);
    const auto picky = std::make_shared<Picky>(std::set<std::string>{id(13), id(77)}, status);
    ScriptedHttp server{[picky](const HttpRequest& request) { return (*picky)(request); }};
    auto options = mode(HttpBody::json_array);
    options.url = server.url();
    options.batch.max_count = 100;
    Harness harness{options};
    std::vector<Delivery> batch;
    for (std::uint64_t claim = 1; claim <= 100; ++claim) batch.push_back(json_message(claim, "1"));
    harness.send(batch);
    for (const Receipt& receipt : harness.recorder.wait_receipts(100)) {
      const bool poison = receipt.claim == 13 || receipt.claim == 77;
      CHECK(receipt.verdict == (poison ? Verdict::reject : Verdict::delivered));
    }
    CHECK(harness.stop(seconds{5}) < seconds{5});
    CHECK(picky->taken.size() == 98);
    // Two paths down a tree of a hundred leaves.
    CHECK(server.requests().size() <= 2 * 2 * 8);
  }
}

TEST_CASE("http: a server that takes less at once gets the batch in pieces that fit") {
  std::size_t largest = 0;
  ScriptedHttp server{[&](const HttpRequest& request) {
    const std::size_t count = parse(request.body).Size();
    if (count > 10) return HttpReply::of(413);
    largest = std::max(largest, count);
    return HttpReply::of(202);
  }};
  auto options = mode(HttpBody::json_array);
  options.url = server.url();
  options.batch.max_count = 64;
  Harness harness{options};
  std::vector<Delivery> batch;
  for (std::uint64_t claim = 1; claim <= 64; ++claim) batch.push_back(json_message(claim, "1"));
  harness.send(batch);
  for (const Receipt& receipt : harness.recorder.wait_receipts(64))
    CHECK(receipt.verdict == Verdict::delivered);
  harness.stop(seconds{5});
  CHECK(largest == 8);
}

TEST_CASE("http: a message that failed before goes alone") {
  auto options = mode(HttpBody::json_array);
  options.batch.linger = milliseconds{1};
  Delivery failed = json_message(2, "2");
  failed.attempts = 1;
  const auto requests = taken(options, {json_message(1, "1"), failed, json_message(3, "3")});
  REQUIRE(requests.size() == 2);
  for (const auto& request : requests) {
    const Json body = parse(request.body);
    CHECK(body.Size() == (text(body[0], "id") == id(2) ? 1 : 2));
  }
}

TEST_CASE("http: the copy of a batch has the same idempotency key, another batch another") {
  auto options = mode(HttpBody::json_array);
  options.batch.max_count = 2;
  const std::vector<Delivery> one{json_message(1, "1"), json_message(2, "2")};
  const std::vector<Delivery> two{json_message(1, "1"), json_message(3, "3")};
  const auto key = [&](const std::vector<Delivery>& batch) {
    return taken(options, batch).at(0).header("idempotency-key");
  };
  CHECK(key(one) == key(one));
  CHECK(key(one) != key(two));
}
