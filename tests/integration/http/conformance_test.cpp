// SPDX-License-Identifier: MIT
#include "harness.hpp"

#include <satchel/testing/sink_conformance.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>

using namespace satchel;
using namespace support;

namespace {

// A server that answers 200, or takes what comes and is silent. Being away is no state of a connectionless
// sink: it is up until a message says otherwise.
class HttpFixture final : public satchel::testing::SinkFixture {
 public:
  explicit HttpFixture(HttpBody body) : body_{body} {}
  std::unique_ptr<Sink> make() override {
    auto options = options_for(server_.url());
    options.credentials = [this] { return HttpCredentials{.bearer_token = secret()}; };
    options.body = body_;
    options.batch.linger = std::chrono::milliseconds{1};
    return std::make_unique<HttpSink>(options);
  }
  bool silence_peer() override {
    silent_ = true;
    return true;
  }
  void restore_peer() override { silent_ = false; }
  std::string secret() override { return "s3cret"; }

 private:
  const HttpBody body_;
  std::atomic<bool> silent_{false};
  ScriptedHttp server_{[this](const HttpRequest&) {
    HttpReply reply = HttpReply::of(200);
    if (silent_) reply = HttpReply{.hang = true};
    return reply;
  }};
};

}  // namespace

TEST_CASE("http: keeps the rules of every sink, message by message and in batches") {
  for (const HttpBody body : {HttpBody::raw, HttpBody::cloudevents_structured, HttpBody::json_array}) {
    for (const auto& check : satchel::testing::all_sink_checks()) {
      CAPTURE(static_cast<int>(body));
      CAPTURE(check.name);
      HttpFixture fixture{body};
      CHECK_NOTHROW(check.run(fixture));
    }
  }
}
