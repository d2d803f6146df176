// SPDX-License-Identifier: MIT
#include "harness.hpp"
#include "support/child.hpp"

#include <satchel/error.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

using namespace satchel;
using namespace support;
using satchel::testing::ManualClock;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// 2026-11-23 12:00:00 UTC.
constexpr WallTime kNoon{seconds{1'795'435'200}};

// A file with a secret, replaced the way that agents do it: by rename.
class Secret {
 public:
  explicit Secret(const std::string& content) {
    std::string pattern = (std::filesystem::temp_directory_path() / "satchel-secret-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
    folder_ = pattern;
    write(content);
  }
  ~Secret() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void write(const std::string& content) const {
    std::ofstream{folder_ / "next"} << content;
    std::filesystem::rename(folder_ / "next", path());
  }
  std::string path() const { return (folder_ / "secret").string(); }

 private:
  std::filesystem::path folder_;
};

// Lets requests with this Authorization in, whatever it is at the moment.
class Guarded {
 public:
  std::string wanted;
  HttpReply operator()(const HttpRequest& request) const {
    return HttpReply::of(request.header("authorization") == wanted ? 200 : 401);
  }
};

// The signature as the openssl tool computes it.
std::string signed_by_openssl(const std::string& hex_key, const std::string& content) {
  std::string pattern = (std::filesystem::temp_directory_path() / "satchel-signed-XXXXXX").string();
  const int file = mkstemp(pattern.data());
  if (file < 0 || write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    throw std::runtime_error{"mkstemp"};
  close(file);
  Child tool{{"/bin/sh", "-c",
              "openssl dgst -sha256 -mac HMAC -macopt hexkey:" + hex_key + " -binary " + pattern +
                  " | openssl base64 -A; echo"}};
  const auto line = tool.line();
  std::filesystem::remove(pattern);
  return line.value_or("");
}

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr const char* kKey = "31f290f6bf0629 8aab4f08d43c3f082cf648a362da2da4b0";

}  // namespace

TEST_CASE("http: a bearer token from a file is read anew when the file is replaced") {
  const Secret secret{"first\n"};
  Guarded guard;
  guard.wanted = "Bearer first";
  ScriptedHttp server{[&](const HttpRequest& request) { return guard(request); }};
  auto options = options_for(server.url());
  options.bearer_token_file = secret.path();
  Harness harness{options};
  CHECK(harness.post(1).verdict == Verdict::delivered);
  guard.wanted = "Bearer second";
  const Receipt refused = harness.post(2);
  CHECK(refused.verdict == Verdict::blocked);
  CHECK_FALSE(contains(refused.reason, "first"));
  secret.write("  second  \nignored\n");
  CHECK(harness.post(3).verdict == Verdict::delivered);
}

TEST_CASE("http: a user name and a password, fixed or from a file, make basic authentication") {
  const Secret secret{"open sesame\n"};
  Guarded guard;
  guard.wanted = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
  ScriptedHttp server{[&](const HttpRequest& request) { return guard(request); }};
  auto options = options_for(server.url());
  options.username = "Aladdin";
  SUBCASE("fixed") { options.password = "open sesame"; }
  SUBCASE("from a file") { options.password_file = secret.path(); }
  Harness harness{options};
  CHECK(harness.post(1).verdict == Verdict::delivered);
}

TEST_CASE(
    "http: a secret header from a file is read anew when the file is replaced, and wins over a message's "
    "own") {
  const Secret secret{"first\n"};
  std::string wanted = "first";
  ScriptedHttp server{[&](const HttpRequest& request) {
    return request.header("x-api-key") == wanted ? HttpReply::of(200) : HttpReply::of(401);
  }};
  auto options = options_for(server.url());
  options.secret_headers = {{"X-Api-Key", secret.path(), {}}};
  options.username = "beside";
  options.password = "it";
  Harness harness{options};
  CHECK(harness.post(1).verdict == Verdict::delivered);
  wanted = "second";
  const Receipt refused = harness.post(2);
  CHECK(refused.verdict == Verdict::blocked);
  CHECK_FALSE(contains(refused.reason, "first"));
  secret.write("second\n");
  CHECK(harness.post(3).verdict == Verdict::delivered);
}

TEST_CASE("http: credentials come from a function for every request") {
  Guarded guard;
  ScriptedHttp server{[&](const HttpRequest& request) { return guard(request); }};
  auto options = options_for(server.url());
  int calls = 0;
  options.credentials = [&calls] { return HttpCredentials{.bearer_token = "t" + std::to_string(++calls)}; };
  Harness harness{options};
  guard.wanted = "Bearer t1";
  CHECK(harness.post(1).verdict == Verdict::delivered);
  guard.wanted = "Bearer t2";
  CHECK(harness.post(2).verdict == Verdict::delivered);
}

TEST_CASE("http: credentials that cannot be had are blocked, and nothing is sent") {
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  auto options = options_for(server.url());
  std::string reason;
  const Secret empty{" \n\n"};
  SUBCASE("the file is missing") {
    options.bearer_token_file = "/does/not/exist";
    reason = "/does/not/exist";
  }
  SUBCASE("the file is empty") {
    options.bearer_token_file = empty.path();
    reason = "it is empty";
  }
  SUBCASE("the function throws") {
    options.credentials = []() -> HttpCredentials { throw std::runtime_error{"the vault is closed"}; };
    reason = "the vault is closed";
  }
  SUBCASE("the function throws something strange") {
    options.credentials = []() -> HttpCredentials { throw 7; };
    reason = "something unknown";
  }
  SUBCASE("the token would begin another header") {
    options.credentials = [] { return HttpCredentials{.bearer_token = "a\r\nX-Admin: 1"}; };
    reason = "control character";
  }
  Harness harness{options};
  const Receipt receipt = harness.post(1);
  CAPTURE(receipt.reason);
  CHECK(receipt.verdict == Verdict::blocked);
  CHECK(contains(receipt.reason, reason));
  CHECK_FALSE(contains(receipt.reason, "X-Admin"));
  CHECK(server.connections() == 0);
}

TEST_CASE("http: stop returns in time while the credentials function hangs, and reset brings the sink back") {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
    bool entered = false;
    void pass() {
      std::unique_lock lock{mutex};
      entered = true;
      changed.notify_all();
      changed.wait(lock, [this] { return open; });
    }
    void wait_entered() {
      std::unique_lock lock{mutex};
      changed.wait(lock, [this] { return entered; });
    }
    void release() {
      const std::lock_guard lock{mutex};
      open = true;
      changed.notify_all();
    }
  };
  const auto gate = std::make_shared<Gate>();
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  auto options = options_for(server.url());
  options.credentials = [gate, first = std::make_shared<std::atomic<bool>>(true)] {
    if (first->exchange(false)) gate->pass();
    return HttpCredentials{.bearer_token = "t"};
  };
  Harness harness{options};
  harness.send({delivery(1)});
  gate->wait_entered();
  SUBCASE("stop") {
    CHECK(harness.stop(milliseconds{100}) < seconds{2});
    CHECK(harness.receipt_of(1).verdict == Verdict::down);
    gate->release();
  }
  SUBCASE("reset") {
    harness.sink().reset();
    CHECK(harness.receipt_of(1).verdict == Verdict::down);
    REQUIRE(harness.recorder.wait_down());
    harness.sink().resume();
    REQUIRE(harness.recorder.wait_up());
    CHECK(harness.post(2).verdict == Verdict::delivered);
    gate->release();
    harness.stop(seconds{10});
    CHECK(harness.recorder.wait_receipts(2).size() == 2);
  }
}

TEST_CASE("http: the signature is the one that the openssl tool computes, one for each secret") {
  const auto clock = std::make_shared<ManualClock>();
  clock->set_wall(kNoon, true);
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  auto options = options_for(server.url());
  options.clock = clock;
  const std::string other = "whsec_" + std::string("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=");
  options.signature = HttpSignature{.secrets = {kSecret, other}};
  Harness harness{options};
  CHECK(harness.post(delivery(1, "t", "{\"test\": 2432232314}")).verdict == Verdict::delivered);

  const auto request = server.requests().at(0);
  const std::string id = delivery(1).id.to_string();
  CHECK(request.header("webhook-id") == id);
  CHECK(request.header("webhook-timestamp") == "1795435200");
  const std::string content = id + ".1795435200." + request.body;
  std::string hex_key = kKey;
  std::erase(hex_key, ' ');
  std::string other_key;
  for (int index = 0; index < 32; ++index) other_key += "41";
  CHECK(request.header("webhook-signature") ==
        "v1," + signed_by_openssl(hex_key, content) + " v1," + signed_by_openssl(other_key, content));
}

TEST_CASE("http: the signature covers the compressed body and changes with the attempt's time") {
  const auto clock = std::make_shared<ManualClock>();
  clock->set_wall(kNoon, true);
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  auto options = options_for(server.url());
  options.clock = clock;
  options.gzip = true;
  options.signature = HttpSignature{.secrets = {kSecret}};
  Harness harness{options};
  const auto message = delivery(1, "t", std::string(5000, 'x'));
  CHECK(harness.post(message).verdict == Verdict::delivered);
  clock->advance(seconds{60});
  auto again = message;
  again.claim = 2;
  CHECK(harness.post(again).verdict == Verdict::delivered);

  const auto requests = server.requests();
  CHECK(requests[0].header("content-encoding") == "gzip");
  std::string hex_key = kKey;
  std::erase(hex_key, ' ');
  const std::string id = message.id.to_string();
  CHECK(requests[0].header("webhook-signature") ==
        "v1," + signed_by_openssl(hex_key, id + ".1795435200." + requests[0].body));
  CHECK(requests[1].header("webhook-id") == id);
  CHECK(requests[1].header("webhook-timestamp") == "1795435260");
}

TEST_CASE("http: signed requests wait while the clock is not trusted") {
  const auto clock = std::make_shared<ManualClock>();
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  auto options = options_for(server.url());
  options.clock = clock;
  options.signature = HttpSignature{.secrets = {kSecret}};
  HttpSink sink{options};
  SinkRecorder recorder;
  sink.start(recorder);
  sink.resume();
  const auto cause = recorder.wait_down();
  REQUIRE(cause);
  CHECK(cause->verdict == Verdict::down);
  CHECK(contains(cause->reason, "the clock is not trusted yet"));

  clock->set_wall(kNoon, true);
  sink.resume();
  CHECK(recorder.wait_up());
  clock->set_wall(kNoon, false);
  sink.send({delivery(1)});
  const auto held = recorder.wait_receipts(1).at(0);
  CHECK(held.verdict == Verdict::down);
  CHECK_FALSE(held.exposed);
  clock->set_wall(kNoon, true);
  sink.send({delivery(2)});
  CHECK(recorder.wait_receipts(2).at(1).verdict == Verdict::delivered);
  sink.stop(seconds{5});
  CHECK(server.requests().size() == 1);
}

TEST_CASE("http: secrets of a signature are read from a file and can rotate") {
  const auto clock = std::make_shared<ManualClock>();
  clock->set_wall(kNoon, true);
  const Secret file{std::string{kSecret} + "\n"};
  ScriptedHttp server{[](const HttpRequest&) { return HttpReply::of(200); }};
  auto options = options_for(server.url());
  options.clock = clock;
  options.signature = HttpSignature{.secrets_file = file.path()};
  Harness harness{options};
  CHECK(harness.post(1).verdict == Verdict::delivered);
  file.write(std::string{kSecret} + "\nwhsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n");
  CHECK(harness.post(2).verdict == Verdict::delivered);
  file.write("whsec_short\n");
  const Receipt receipt = harness.post(3);
  CHECK(receipt.verdict == Verdict::blocked);
  CHECK_FALSE(contains(receipt.reason, "whsec_short"));
  const auto requests = server.requests();
  CHECK_FALSE(contains(requests[0].header("webhook-signature"), " "));
  CHECK(contains(requests[1].header("webhook-signature"), " v1,"));
}
