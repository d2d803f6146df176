// SPDX-License-Identifier: MIT
#pragma once

#include "support/loopback.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

/// A long line between a client and a server on loopback: every byte arrives so much later, in order, and no
/// fewer of them a second.
class DelayProxy {
 public:
  DelayProxy(std::uint16_t server, std::chrono::milliseconds one_way)
      : server_(server),
        delay_(one_way),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        listener_(support::bound_socket(64)),
        port_(support::port_of(listener_.get())),
        thread_([this] { run(); }) {}
  ~DelayProxy() {
    const std::uint64_t one = 1;
    static_cast<void>(::write(stop_.get(), &one, sizeof one));
    thread_.join();
  }
  DelayProxy(const DelayProxy&) = delete;
  DelayProxy& operator=(const DelayProxy&) = delete;

  std::uint16_t port() const noexcept { return port_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Chunk {
    Time due;
    std::string bytes;
  };
  struct Way {
    int from = -1;
    int to = -1;
    std::deque<Chunk> under_way{};
    bool ended = false;
  };
  struct Link {
    support::Descriptor client;
    support::Descriptor server;
    Way up{};
    Way down{};
  };

  void run() {
    for (;;) {
      std::vector<pollfd> fds{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const auto& link : links_) {
        for (const Way* way : {&link->up, &link->down})
          fds.push_back({way->ended ? -1 : way->from, POLLIN, 0});
      }
      wait(fds);
      if (fds[0].revents != 0) return;
      for (std::size_t i = 0; i < links_.size(); ++i) {
        if (fds[2 + 2 * i].revents != 0) receive(links_[i]->up);
        if (fds[3 + 2 * i].revents != 0) receive(links_[i]->down);
        pass(links_[i]->up);
        pass(links_[i]->down);
      }
      if (fds[1].revents != 0) accept();
      std::erase_if(links_, [](const auto& link) { return over(link->up) && over(link->down); });
    }
  }

  static bool over(const Way& way) { return way.ended && way.under_way.empty(); }

  void wait(std::vector<pollfd>& fds) const {
    Time next = Time::max();
    for (const auto& link : links_) {
      for (const Way* way : {&link->up, &link->down}) {
        if (!way->under_way.empty()) next = std::min(next, way->under_way.front().due);
      }
    }
    timespec left{};
    if (next != Time::max()) {
      const auto span = std::max(next - std::chrono::steady_clock::now(), Time::duration::zero());
      const auto whole = std::chrono::duration_cast<std::chrono::seconds>(span);
      left = {whole.count(), std::chrono::duration_cast<std::chrono::nanoseconds>(span - whole).count()};
    }
    ::ppoll(fds.data(), fds.size(), next == Time::max() ? nullptr : &left, nullptr);
  }

  void accept() {
    auto link = std::make_unique<Link>();
    link->client = support::Descriptor{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    link->server = support::Descriptor{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_in address = support::loopback_address(server_);
    if (link->client.get() < 0 ||
        ::connect(link->server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return;
    const int yes = 1;
    const int buffer = 4 << 20;
    for (const int socket : {link->client.get(), link->server.get()}) {
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
    link->up.from = link->down.to = link->client.get();
    link->down.from = link->up.to = link->server.get();
    links_.push_back(std::move(link));
  }

  void receive(Way& way) const {
    std::string bytes(256 << 10, '\0');
    const ssize_t count = ::recv(way.from, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // A sender without TCP_NODELAY would otherwise wait for a delayed acknowledgement of this hop.
    const int yes = 1;
    ::setsockopt(way.from, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
    if (count <= 0) {
      way.ended = true;
      // An empty chunk is the end.
      way.under_way.push_back({std::chrono::steady_clock::now() + delay_, {}});
      return;
    }
    bytes.resize(static_cast<std::size_t>(count));
    way.under_way.push_back({std::chrono::steady_clock::now() + delay_, std::move(bytes)});
  }

  static void pass(Way& way) {
    const Time now = std::chrono::steady_clock::now();
    while (!way.under_way.empty() && way.under_way.front().due <= now) {
      const std::string bytes = std::move(way.under_way.front().bytes);
      way.under_way.pop_front();
      if (bytes.empty()) ::shutdown(way.to, SHUT_WR);
      for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t sent = ::send(way.to, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) {
          way.ended = true;
          way.under_way.clear();
          return;
        }
        at += static_cast<std::size_t>(sent);
      }
    }
  }

  // constant after construction
  const std::uint16_t server_;
  const std::chrono::milliseconds delay_;
  support::Descriptor stop_;
  support::Descriptor listener_;
  const std::uint16_t port_;
  // the proxy's thread only
  std::vector<std::unique_ptr<Link>> links_;
  // the owner's thread only
  std::thread thread_;
};

}  // namespace bench
