// SPDX-License-Identifier: MIT
#include <satchel/http.hpp>

#include "sinks/http/worker.hpp"

#include <utility>

namespace satchel {

HttpSink::HttpSink(HttpOptions options) : worker_{std::make_shared<Worker>(std::move(options))} {}

HttpSink::~HttpSink() {
  if (worker_) worker_->stop(std::chrono::milliseconds{0});
}

HttpSink::HttpSink(HttpSink&&) noexcept = default;

HttpSink& HttpSink::operator=(HttpSink&& other) noexcept {
  if (this != &other) {
    if (worker_) worker_->stop(std::chrono::milliseconds{0});
    worker_ = std::move(other.worker_);
  }
  return *this;
}

void HttpSink::start(SinkEvents& events) { worker_->start(events); }
void HttpSink::resume() { worker_->resume(); }
void HttpSink::send(std::vector<Delivery> batch) { worker_->send(std::move(batch)); }
void HttpSink::reset() { worker_->reset(); }
void HttpSink::stop(std::chrono::milliseconds timeout) noexcept { worker_->stop(timeout); }
std::size_t HttpSink::capacity() const noexcept { return worker_->capacity(); }
std::chrono::milliseconds HttpSink::linger() const noexcept { return worker_->linger(); }
std::string HttpSink::name() const { return worker_->name(); }

}  // namespace satchel
