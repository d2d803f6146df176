// SPDX-License-Identifier: MIT
// What Prometheus asks for: the metrics of an outbox, over HTTP on the loopback interface, one connection at
// a time. Port 0 takes a free one and prints it. Ends after so many requests, with 0 never.
// Usage: exporter DATABASE PORT REQUESTS
#include <satchel/metrics.hpp>
#include <satchel/satchel.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

namespace {

constexpr std::string_view kEnd = "\r\n\r\n";

void insist(bool done, const char* what) {
  if (!done) throw std::system_error{errno, std::generic_category(), what};
}

struct Socket {
  explicit Socket(int opened) : fd{opened} { insist(opened >= 0, "socket"); }
  ~Socket() { ::close(fd); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  const int fd;
};

std::uint16_t listen_on(const Socket& listener, std::uint16_t port) {
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  const int yes = 1;
  insist(::setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "setsockopt");
  insist(::bind(listener.fd, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  insist(::listen(listener.fd, 8) == 0, "listen");
  insist(::getsockname(listener.fd, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  return ntohs(address.sin_port);
}

/// Adds what the peer sends next; false at its end, and when its time is over.
bool receive(const Socket& peer, Time deadline, std::string& text) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Time::clock::now());
  pollfd ready{peer.fd, POLLIN, 0};
  if (left <= 0ms || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0) return false;
  std::array<char, 1024> part{};
  const ssize_t size = ::recv(peer.fd, part.data(), part.size(), MSG_DONTWAIT);
  if (size > 0) text.append(part.data(), static_cast<std::size_t>(size));
  return size > 0;
}

std::string answer_to(const std::string& request, const satchel::Outbox& outbox) {
  std::istringstream line{request.substr(0, request.find("\r\n"))};
  std::string method, target, version, more, status = "200 OK", body;
  line >> method >> target >> version >> more;
  const bool whole = request.find(kEnd) != std::string::npos && more.empty();
  if (!whole || method != "GET" || !version.starts_with("HTTP/1."))
    status = "400 Bad Request";
  else if (target != "/metrics")
    status = "404 Not Found";
  else
    body = satchel::metrics_text(outbox.status());
  return "HTTP/1.1 " + status + "\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n" +
         "Content-Length: " + std::to_string(body.size()) + std::string{kEnd} + body;
}

void serve(const Socket& peer, const satchel::Outbox& outbox) {
  // Who is slow must not keep the others waiting.
  const Time deadline = Time::clock::now() + 5s;
  const timeval patience{5, 0};
  ::setsockopt(peer.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  std::string request;
  while (request.find(kEnd) == std::string::npos && request.size() < 8192)
    if (!receive(peer, deadline, request)) break;
  const std::string answer = answer_to(request, outbox);
  // A peer that has gone is no reason for a signal, nor for an error.
  for (std::size_t done = 0; done < answer.size();) {
    const ssize_t sent = ::send(peer.fd, answer.data() + done, answer.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) break;
    done += static_cast<std::size_t>(sent);
  }
  // Closed with something unread, the connection would be reset, and the answer may go with it.
  ::shutdown(peer.fd, SHUT_WR);
  while (receive(peer, deadline, request)) request.clear();
}

}  // namespace

int main(int argc, char** argv) try {
  const unsigned long port = argc == 4 ? std::stoul(argv[2]) : 65'536;
  if (port > 65'535) throw std::invalid_argument{"usage: exporter DATABASE PORT REQUESTS"};
  satchel::Outbox outbox{argv[1]};  // a device attaches its sink and starts the relay, too
  outbox.enqueue({.topic = "site/7/temperature", .payload = "21.5"});
  const Socket listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto bound = listen_on(listener, static_cast<std::uint16_t>(port));
  std::cout << "http://127.0.0.1:" << bound << "/metrics" << std::endl;
  for (unsigned long requests = std::stoul(argv[3]), i = 0; requests == 0 || i < requests; ++i) {
    const int descriptor = ::accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor >= 0 || errno != ECONNABORTED) serve(Socket{descriptor}, outbox);
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
