// SPDX-License-Identifier: MIT
#include "sinks/http/worker.hpp"

#include "sinks/http/options.hpp"
#include "sinks/http/transfer.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <satchel/error.hpp>

#include <curl/curl.h>

#include <algorithm>
#include <utility>

namespace satchel {

namespace {

using std::chrono::milliseconds;
using verdicts::Cause;

// Hung threads cost memory and descriptors: beyond these the sink stays down until one of them comes back.
constexpr std::size_t kMaxLeftBehind = 4;

// Never cleaned up: others in the process may use libcurl.
void init_libcurl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK)
    throw Error{"HttpSink", curl_easy_strerror(result), "libcurl cannot be initialised", result};
}

}  // namespace

HttpSink::Worker::Worker(HttpOptions options)
    : options_{std::make_shared<const HttpOptions>(http::validated(std::move(options)))},
      clock_{options_->clock ? options_->clock : system_clock()},
      url_{options_->url} {
  init_libcurl();
  // What this libcurl cannot do is said now, and not when the first message waits.
  const http::Transfer trial{*options_};
}

void HttpSink::Worker::start(SinkEvents& events) {
  events_ = &events;
  renew();
}

bool HttpSink::Worker::renew() {
  if (count_left_behind() >= kMaxLeftBehind) return false;
  auto engine = std::make_shared<http::Engine>(options_, clock_, *events_);
  engine->launch();
  engine_ = std::move(engine);
  return true;
}

void HttpSink::Worker::resume() {
  if (events_ == nullptr) return;
  const bool dead = !engine_ || engine_->has_ended();
  try {
    if (dead && !renew()) {
      return events_->down(down("earlier network threads hang in name resolution or in a callback"));
    }
  } catch (const std::exception& error) {
    return events_->down(verdicts::transport(Cause::out_of_resources, error.what()));
  }
  if (auto fault = http::RequestBuilder::clock_fault(*options_, *clock_))
    return engine_->outlet().down(*std::move(fault));
  engine_->outlet().up();
}

void HttpSink::Worker::send(std::vector<Delivery> batch) {
  if (engine_) engine_->send(std::move(batch));
}

void HttpSink::Worker::reset() {
  if (!engine_) return;
  const auto engine = std::exchange(engine_, nullptr);
  // First: at its end the engine gives back what it has not begun as not exposed.
  engine->outlet().give_up_exposed("the connections were dropped because an answer stayed out");
  engine->outlet().close();
  engine->finish(std::chrono::steady_clock::now());
  left_behind_.push_back(engine);
  events_->down(down("the connections were dropped"));
}

std::size_t HttpSink::Worker::count_left_behind() {
  std::erase_if(left_behind_, [](const auto& engine) {
    return engine->has_ended() && engine->wait_for_end(std::chrono::steady_clock::now());
  });
  return left_behind_.size();
}

void HttpSink::Worker::stop(milliseconds timeout) noexcept {
  const auto now = std::chrono::steady_clock::now();
  timeout = std::clamp<milliseconds>(timeout, milliseconds{0}, std::chrono::hours{24});
  // Time to give up on what still runs, before the time is over.
  const milliseconds reserve = std::min<milliseconds>(timeout / 4, milliseconds{100});
  if (const auto engine = std::exchange(engine_, nullptr)) {
    engine->finish(now + timeout - reserve);
    left_behind_.push_back(engine);
  }
  for (const auto& engine : left_behind_) {
    engine->wait_for_end(now + timeout);
    engine->outlet().give_up("the sink was stopped before an answer came");
    engine->outlet().close();
  }
  left_behind_.clear();
}

milliseconds HttpSink::Worker::linger() const noexcept {
  const bool gathers = http::carries_many(options_->body) && options_->batch.max_count > 1;
  return gathers ? options_->batch.linger : milliseconds{0};
}

std::size_t HttpSink::Worker::capacity() const noexcept {
  constexpr std::size_t kMost = 65'535;
  const std::size_t together = http::carries_many(options_->body) ? options_->batch.max_count : 1;
  // Twice what runs, so that a request that ends is followed at once, without a round through the relay.
  return std::min(kMost, 2 * options_->parallel * together);
}

}  // namespace satchel
