// SPDX-License-Identifier: MIT
//
// Name resolution that does not answer. libcurl asks getaddrinfo, and a program's own definition of it comes
// first.
#include "harness.hpp"

#include <dlfcn.h>
#include <netdb.h>

#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>
#include <string_view>

using namespace satchel;
using namespace support;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Names under silent.test get no answer until the test is over.
class SilentResolver {
 public:
  void wait_until_released() {
    std::unique_lock lock{mutex_};
    ++asked_;
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
    --waiting_;
    changed_.notify_all();
  }
  bool wait_asked() {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, seconds{20}, [this] { return asked_ > 0; });
  }
  void begin() {
    const std::lock_guard lock{mutex_};
    asked_ = 0;
    released_ = false;
  }
  // Lets the resolver's threads go and waits until they have, so that none is left when the program ends.
  void release() {
    std::unique_lock lock{mutex_};
    released_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, seconds{20}, [this] { return waiting_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int asked_ = 0;
  int waiting_ = 0;
  bool released_ = false;
};

SilentResolver& resolver() {
  static SilentResolver silent;
  return silent;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* node, const char* service,
                                                                  const addrinfo* hints, addrinfo** result) {
  if (node != nullptr && std::string_view{node} == "silent.test") {
    resolver().wait_until_released();
    return EAI_AGAIN;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, result);
}

TEST_CASE("http: stop returns in time while the name server does not answer") {
  resolver().begin();
  {
    Harness harness{options_for("http://silent.test/")};
    harness.send(deliveries(1, 3));
    REQUIRE(resolver().wait_asked());
    CHECK(harness.stop(milliseconds{150}) < seconds{2});
    for (const Receipt& receipt : harness.recorder.wait_receipts(3)) CHECK(receipt.verdict == Verdict::down);
  }
  resolver().release();
}

TEST_CASE(
    "http: a name server that does not answer is down after the connect timeout, not exposed, and others go "
    "on") {
  resolver().begin();
  {
    auto options = options_for("http://silent.test/");
    options.connect_timeout = milliseconds{100};
    Harness harness{options};
    const Receipt receipt = harness.post(1);
    CAPTURE(receipt.reason);
    CHECK(receipt.verdict == Verdict::down);
    CHECK(contains(receipt.reason, "name resolution timed out"));
    CHECK_FALSE(receipt.exposed);
    CHECK(harness.stop(seconds{5}) < seconds{5});
  }
  resolver().release();
}

TEST_CASE("http: reset while the name server does not answer gives the messages back at once") {
  resolver().begin();
  {
    Harness harness{options_for("http://silent.test/")};
    harness.send({delivery(1)});
    REQUIRE(resolver().wait_asked());
    harness.sink().reset();
    CHECK(harness.receipt_of(1).verdict == Verdict::down);
    CHECK(harness.stop(milliseconds{100}) < seconds{2});
  }
  resolver().release();
}

TEST_CASE("http: a name that the server knows still gets through") {
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  Harness harness{options_for("http://localhost:" + std::to_string(server.port()) + "/")};
  CHECK(harness.post(1).verdict == Verdict::delivered);
}
