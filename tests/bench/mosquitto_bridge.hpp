// SPDX-License-Identifier: MIT
#pragma once

#include "bench/bare_publisher.hpp"
#include "bench/figures.hpp"
#include "support/broker.hpp"
#include "support/subscriber.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace bench {

/// A broker on the device that forwards to the one upstream, mosquitto's own store and forward: its queue is
/// in memory, saved by interval.
class MosquittoBridge {
 public:
  explicit MosquittoBridge(std::uint16_t upstream) : upstream_(upstream), gate_(support::bound_socket(-1)) {
    gate_port_ = support::port_of(gate_.get());
  }

  /// Queues the messages while the way up is closed, then opens it; measured is from there to the last
  /// arrival.
  Figures drain(std::size_t messages, const std::string& payload) {
    support::Subscriber arrivals{upstream_, "bench"};
    support::BrokerSetup setup;
    setup.lines = {"connection up",      "address 127.0.0.1:" + std::to_string(gate_port_),
                   "topic bench out 1",  "restart_timeout 1",
                   "cleansession false", "notifications false",
                   "try_private false"};
    const support::Broker local{setup};
    const Meter offline;
    BarePublisher{local.port()}.drain(messages, payload, 100);
    const double stored = static_cast<double>(messages) / offline.seconds();
    // Until now connections to this port were refused.
    gate_.reset();
    Relay relay{gate_port_, upstream_};
    if (!relay.accepted()) throw std::runtime_error{"the bridge does not connect"};
    const Meter meter;
    if (arrivals.wait(messages).size() < messages) throw std::runtime_error{"the bridge lost messages"};
    return {{"rate", static_cast<double>(messages) / meter.seconds()}, {"stored_rate", stored}};
  }

 private:
  /// Passes bytes between the bridge and the upstream broker.
  class Relay {
   public:
    Relay(std::uint16_t port, std::uint16_t upstream)
        : listener_(support::bound_socket(8, port)), stop_(::eventfd(0, EFD_CLOEXEC)) {
      pollfd fd{listener_.get(), POLLIN, 0};
      if (::poll(&fd, 1, 20'000) <= 0) return;
      client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      server_ = support::Descriptor{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
      const sockaddr_in address = support::loopback_address(upstream);
      accepted_ = ::connect(server_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      const int yes = 1;
      for (const int socket : {client_.get(), server_.get()})
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      if (accepted_) thread_ = std::thread{[this] { pass(); }};
    }
    ~Relay() {
      const std::uint64_t one = 1;
      static_cast<void>(::write(stop_.get(), &one, sizeof one));
      if (thread_.joinable()) thread_.join();
    }
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    bool accepted() const noexcept { return accepted_; }

   private:
    void pass() {
      for (;;) {
        pollfd fds[] = {{stop_.get(), POLLIN, 0}, {client_.get(), POLLIN, 0}, {server_.get(), POLLIN, 0}};
        ::poll(fds, 3, -1);
        if (fds[0].revents != 0) return;
        if (fds[1].revents != 0 && !copy(client_.get(), server_.get())) return;
        if (fds[2].revents != 0 && !copy(server_.get(), client_.get())) return;
      }
    }
    static bool copy(int from, int to) {
      static thread_local char bytes[64 << 10];
      const ssize_t count = ::recv(from, bytes, sizeof bytes, 0);
      for (ssize_t at = 0; at < count;) {
        const ssize_t sent = ::send(to, bytes + at, static_cast<std::size_t>(count - at), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += sent;
      }
      return count > 0;
    }

    support::Descriptor listener_;
    support::Descriptor stop_;
    support::Descriptor client_;
    support::Descriptor server_;
    bool accepted_ = false;
    std::thread thread_;
  };

  const std::uint16_t upstream_;
  support::Descriptor gate_;
  std::uint16_t gate_port_ = 0;
};

}  // namespace bench
