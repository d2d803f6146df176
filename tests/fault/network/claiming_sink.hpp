// SPDX-License-Identifier: MIT
#pragma once

#include "support/loopback.hpp"

#include <satchel/sink.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace network {

/// What no sink may do: it takes a request that was written for one that was answered.
class ClaimingSink final : public satchel::Sink {
 public:
  explicit ClaimingSink(std::uint16_t port) : port_(port) {}

  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    std::vector<satchel::Receipt> receipts;
    for (const satchel::Delivery& delivery : batch) {
      // Once more when the connection turns out to be broken: it is not even a careless sink.
      if (!write(delivery)) write(delivery);
      receipts.push_back(satchel::delivered());
      receipts.back().claim = delivery.claim;
    }
    events_->receipts(std::move(receipts));
  }
  void reset() override { events_->down(satchel::down("reset")); }
  /// Hangs up only when as many answers have come, so that without a fault nothing is lost.
  void stop(std::chrono::milliseconds) noexcept override {
    std::size_t answers = 0;
    char last = 0;
    pollfd fd{socket_.get(), POLLIN, 0};
    while (answers < written_ && ::poll(&fd, 1, 200) == 1) {
      char byte = 0;
      if (::recv(socket_.get(), &byte, 1, 0) <= 0) break;
      // "HTTP/" is in no other place of these answers.
      if (last == 'P' && byte == '/') ++answers;
      last = byte;
    }
    socket_.reset();
  }
  std::size_t capacity() const noexcept override { return 100; }
  std::string name() const override { return "claiming"; }

 private:
  bool write(const satchel::Delivery& delivery) {
    if (socket_.get() < 0) {
      socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in address = support::loopback_address(port_);
      static_cast<void>(
          ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
    }
    const std::string request = "POST /log/f HTTP/1.1\r\nHost: control\r\nContent-Length: " +
                                std::to_string(delivery.payload.size()) + "\r\n\r\n" + delivery.payload;
    const ssize_t sent = ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(request.size())) {
      ++written_;
      return true;
    }
    socket_.reset();
    written_ = 0;
    return false;
  }

  const std::uint16_t port_;
  satchel::SinkEvents* events_ = nullptr;
  support::Descriptor socket_;
  std::size_t written_ = 0;  // on this connection
};

}  // namespace network
