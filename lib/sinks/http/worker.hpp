// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/http/engine.hpp"
#include "sinks/http/url_template.hpp"

#include <satchel/http.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace satchel {

/// What a moved sink takes along: options, and the engine that does the work. Called like the sink, from one
/// thread at a time.
class HttpSink::Worker {
 public:
  /// Throws `InvalidOption`, and `Error` when libcurl cannot do what the options ask for.
  explicit Worker(HttpOptions options);

  void start(SinkEvents& events);
  void resume();
  void send(std::vector<Delivery> batch);
  void reset();
  void stop(std::chrono::milliseconds timeout) noexcept;
  std::size_t capacity() const noexcept;
  std::chrono::milliseconds linger() const noexcept;
  std::string name() const { return url_.shown(); }

 private:
  /// Threads that were left behind and still run.
  std::size_t count_left_behind();
  bool renew();

  // Constant after construction.
  const std::shared_ptr<const HttpOptions> options_;
  const std::shared_ptr<Clock> clock_;
  const http::UrlTemplate url_;
  // One thread only.
  SinkEvents* events_ = nullptr;
  std::shared_ptr<http::Engine> engine_;
  std::vector<std::shared_ptr<http::Engine>> left_behind_;
};

}  // namespace satchel
