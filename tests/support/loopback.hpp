// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace support {

/// Closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) noexcept : value_(value) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.value_, -1));
    return *this;
  }
  int get() const noexcept { return value_; }
  void reset(int value = -1) noexcept {
    if (value_ >= 0) ::close(value_);
    value_ = value;
  }

 private:
  int value_;
};

/// `host`: the last number of 127.0.0.x.
inline sockaddr_in loopback_address(std::uint16_t port, std::uint8_t host = 1) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1U + host);
  return address;
}

inline std::uint16_t port_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error{"getsockname"};
  return ntohs(address.sin_port);
}

/// Bound to a free port of 127.0.0.1. With `backlog` 0 or more it listens, otherwise connections are refused.
inline Descriptor bound_socket(int backlog, std::uint16_t port = 0, std::uint8_t host = 1) {
  Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const sockaddr_in address = loopback_address(port, host);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error{"bind"};
  }
  if (backlog >= 0 && ::listen(socket.get(), backlog) != 0) throw std::runtime_error{"listen"};
  return socket;
}

/// A port that was free a moment ago, for servers that take a number.
inline std::uint16_t free_port() { return port_of(bound_socket(-1).get()); }

/// Several, each another one: asked for one by one, the system may name one of them twice.
inline std::vector<std::uint16_t> free_ports(std::size_t count) {
  std::vector<Descriptor> held;
  std::vector<std::uint16_t> ports;
  while (held.size() < count) {
    held.push_back(bound_socket(0));
    ports.push_back(port_of(held.back().get()));
  }
  return ports;
}

/// True when something accepts connections there.
inline bool accepts(std::uint16_t port) {
  const Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const sockaddr_in address = loopback_address(port);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

/// Waits until something accepts connections there, or `give_up` says so, or the time is over. Loopback
/// refuses at once, so between two looks it waits in poll for nothing.
template <typename GiveUp>
bool wait_until_accepting(std::uint16_t port, std::chrono::milliseconds patience, GiveUp&& give_up) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline && !give_up()) {
    if (accepts(port)) return true;
    ::poll(nullptr, 0, 5);
  }
  return false;
}

}  // namespace support
