// SPDX-License-Identifier: MIT
//
// From a backlog on disk to a real server that is killed and started again, and again: nothing is lost, and
// copies stay within the bound.
#include "support/certificates.hpp"
#include "support/nginx.hpp"
#include "support/sanitizer.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>

using namespace satchel;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::Certificates;
using support::Nginx;

namespace {

constexpr std::size_t kMessages = support::kSanitized ? 5'000 : 100'000;
constexpr std::size_t kRestarts = 5;
constexpr std::size_t kParallel = 8;

/// Counts deliveries and lets the test wait for a number of them.
class Count final : public Observer {
 public:
  void delivered(const MessageId&, int) noexcept override {
    const std::lock_guard lock{mutex_};
    ++delivered_;
    changed_.notify_all();
  }
  void died(const MessageId&, DeadReason, const std::string& error) noexcept override {
    const std::lock_guard lock{mutex_};
    last_death_ = error;
    ++died_;
    changed_.notify_all();
  }
  /// False: it did not come to that in five minutes, or a message died.
  bool wait(std::size_t wanted) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, std::chrono::minutes{5}, [&] { return delivered_ >= wanted || died_ > 0; });
    return delivered_ >= wanted && died_ == 0;
  }
  std::string last_death() {
    const std::lock_guard lock{mutex_};
    return last_death_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t delivered_ = 0;
  std::size_t died_ = 0;
  std::string last_death_;
};

void fill(Outbox& outbox) {
  for (std::size_t done = 0; done < kMessages;) {
    auto tx = outbox.begin();
    for (int each = 0; each < 1000 && done < kMessages; ++each, ++done)
      tx.enqueue(
          {.topic = "plant/boiler", .payload = std::to_string(done), .content_type = "application/json"});
    tx.commit();
  }
}

// The ids in what the server keeps: a file a request, named by the message or holding an array of envelopes.
std::set<std::string> kept_ids(const Nginx& nginx, bool batches) {
  std::set<std::string> ids;
  const std::string mark = "\"id\":\"";
  for (const auto& entry : std::filesystem::directory_iterator{nginx.kept()}) {
    if (!batches || !entry.path().filename().string().starts_with("batch-")) {
      ids.insert(entry.path().filename());
      continue;
    }
    std::ifstream file{entry.path()};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
      const std::size_t begin = at + mark.size();
      ids.insert(text.substr(begin, text.find('"', begin) - begin));
    }
  }
  return ids;
}

// How often the server says it took a request that it had taken before.
std::size_t copies(const Nginx& nginx) {
  const std::string mark = "\"idempotency_key\":\"";
  std::set<std::string> seen;
  std::size_t again = 0;
  for (const std::string& line : nginx.log()) {
    const std::size_t begin = line.find(mark);
    if (begin == std::string::npos) continue;
    if (!seen.insert(line.substr(begin, line.find("\",", begin) - begin)).second) ++again;
  }
  return again;
}

void survive(Nginx& nginx, HttpOptions http) {
  const bool batches = http.body == HttpBody::json_array;
  const support::TempDir directory{support::TempDir::Where::memory};
  const auto count = std::make_shared<Count>();
  Options options;
  options.observer = count;
  options.probe_backoff = {.base = milliseconds{5}, .cap = milliseconds{100}};
  options.window = batches ? kParallel * 100 : 100;
  options.max_unsettled = 2 * options.window;
  Outbox outbox{directory.path() + "/device.db", options};
  http.method = HttpMethod::put;
  http.parallel = kParallel;
  outbox.attach(HttpSink{http});
  fill(outbox);
  outbox.start();
  for (std::size_t restart = 1; restart <= kRestarts; ++restart) {
    REQUIRE_MESSAGE(count->wait(restart * kMessages / (kRestarts + 1)), count->last_death());
    nginx.kill();
    nginx.start();
  }
  REQUIRE_MESSAGE(count->wait(kMessages), count->last_death());
  CHECK(outbox.stop(seconds{10}));
  CHECK(outbox.status().pending == 0);
  CHECK(kept_ids(nginx, batches).size() == kMessages);
  // One for each request whose answer was lost.
  CHECK(copies(nginx) <= kRestarts * kParallel);
}

}  // namespace

TEST_CASE("http: nothing is lost over HTTP/1.1 while the server is killed five times") {
  Nginx nginx;
  HttpOptions http;
  http.url = nginx.url("/keep/");
  survive(nginx, http);
}

TEST_CASE("http: nothing is lost in batches of a hundred while the server is killed five times") {
  Nginx nginx;
  HttpOptions http;
  http.url = nginx.url("/keep/");
  http.body = HttpBody::json_array;
  survive(nginx, http);
}

TEST_CASE("http: nothing is lost over HTTP/2 while the server is killed five times") {
  Certificates certificates;
  const auto server = certificates.server();
  Nginx nginx{{{server.certificate, server.key, "", true}}};
  HttpOptions http;
  http.url = nginx.tls_url("/keep/");
  http.tls.ca_file = certificates.ca_file();
  survive(nginx, http);
}

TEST_CASE("http: an outbox takes the sink by its URL") {
  Nginx nginx;
  const support::TempDir directory;
  const auto count = std::make_shared<Count>();
  Options options;
  options.observer = count;
  Outbox outbox{directory.path() + "/device.db", options};
  outbox.attach(nginx.url("/log/{topic}?parallel=2&request_timeout=5000"));
  outbox.start();
  outbox.enqueue({.topic = "a/b", .payload = "1"});
  REQUIRE(count->wait(1));
  CHECK(outbox.stop(seconds{5}));
  CHECK(nginx.log(1).front().find("/log/a/b") != std::string::npos);
}

TEST_CASE("http: an outbox stops in time while its server hangs, and keeps the message") {
  const auto silent = support::bound_socket(8);
  const support::TempDir directory;
  Outbox outbox{directory.path() + "/device.db"};
  HttpOptions http;
  http.url = "http://127.0.0.1:" + std::to_string(support::port_of(silent.get())) + "/";
  outbox.attach(HttpSink{http});
  outbox.start();
  outbox.enqueue({.topic = "a", .payload = "1"});
  support::Descriptor connection{::accept(silent.get(), nullptr, nullptr)};
  const auto begin = std::chrono::steady_clock::now();
  outbox.stop(milliseconds{300});
  CHECK(std::chrono::steady_clock::now() - begin < seconds{3});
  CHECK(outbox.status().pending == 1);
}
