// SPDX-License-Identifier: MIT
#include "support/nginx.hpp"
#include "support/deliveries.hpp"
#include "support/sink_recorder.hpp"

#include <satchel/http.hpp>

#include <doctest/doctest.h>

#include <set>

using satchel::HttpOptions;
using satchel::HttpSink;
using satchel::Verdict;
using support::deliveries;
using support::delivery;
using support::Nginx;
using support::SinkRecorder;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("http: nginx gets a message with its topic, its id and its payload") {
  Nginx nginx;
  SinkRecorder recorder;
  HttpOptions options;
  options.url = nginx.url("/log/{topic}");
  HttpSink sink{options};
  sink.start(recorder);
  sink.resume();
  CHECK(recorder.wait_up());

  auto message = delivery(7, "plant/boiler 1", "71.5");
  message.key = "boiler";
  message.content_type = "text/plain";
  sink.send({message});
  const auto receipt = recorder.wait_receipts(1).at(0);
  CHECK(receipt.verdict == Verdict::delivered);
  CHECK(receipt.reason.empty());
  sink.stop(std::chrono::seconds{5});

  const std::string line = nginx.log(1).front();
  const std::string id = message.id.to_string();
  CAPTURE(line);
  CHECK(contains(line, R"("uri":"/log/plant/boiler%201")"));
  CHECK(contains(line, R"("method":"POST")"));
  CHECK(contains(line, R"("idempotency_key":"\")" + id + R"(\"")"));
  CHECK(contains(line, R"("id":")" + id + '"'));
  CHECK(contains(line, R"("key":"boiler")"));
  CHECK(contains(line, R"("content_type":"text/plain")"));
  CHECK(contains(line, R"("body":"71.5")"));
}

TEST_CASE("http: nginx keeps every one of a thousand messages sent eight at a time") {
  Nginx nginx;
  SinkRecorder recorder;
  HttpOptions options;
  options.url = nginx.url("/keep/");
  options.method = satchel::HttpMethod::put;
  HttpSink sink{options};
  sink.start(recorder);
  sink.resume();
  sink.send(deliveries(1, 1000));
  for (const auto& receipt : recorder.wait_receipts(1000)) REQUIRE(receipt.verdict == Verdict::delivered);
  sink.stop(std::chrono::seconds{5});

  std::set<std::string> kept;
  for (const auto& file : std::filesystem::directory_iterator{nginx.kept()})
    kept.insert(file.path().filename());
  CHECK(kept.size() == 1000);
  CHECK(kept.contains(delivery(1000).id.to_string()));
}
