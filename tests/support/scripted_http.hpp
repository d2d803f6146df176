// SPDX-License-Identifier: MIT
#pragma once

#include "support/loopback.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace support {

/// A request that a ScriptedHttp has read to its end.
struct HttpRequest {
  std::size_t number = 0;      ///< from 0, over all connections
  std::size_t connection = 0;  ///< from 0
  std::string method;
  std::string target;
  std::map<std::string, std::string>
      headers;  ///< names in lower case; of a name that comes twice the values are joined by a comma
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
  }
};

/// What a ScriptedHttp does with a connection next.
struct HttpReply {
  std::string bytes{};    ///< sent first, as it is
  std::string endless{};  ///< sent again and again afterwards, until the peer hangs up
  std::string drip{};     ///< sent after `bytes`, one byte every 10 ms
  bool close = false;     ///< hang up when all is sent
  bool reset = false;     ///< the same with RST
  bool hang = false;      ///< leave the connection open and read no more from it

  static HttpReply of(int status, const std::string& headers = {}, const std::string& body = {}) {
    HttpReply reply;
    reply.bytes = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n" + headers;
    if (status != 204) reply.bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    reply.bytes += "\r\n" + body;
    return reply;
  }
  static HttpReply text(std::string bytes, bool close = true) {
    HttpReply reply;
    reply.bytes = std::move(bytes);
    reply.close = close;
    return reply;
  }
};

/// An HTTP/1.1 server that does what a test says, on a free loopback port and a thread of its own. The
/// scripts run on that thread.
class ScriptedHttp {
 public:
  using Script = std::function<HttpReply(const HttpRequest&)>;
  /// Asked for each new connection; nothing: serve it.
  using Accept = std::function<std::optional<HttpReply>(std::size_t connection)>;
  /// Asked when a request's head has been read; nothing: read on.
  using Head = std::function<std::optional<HttpReply>(const HttpRequest&)>;

  explicit ScriptedHttp(Script script, Accept accept = {}, Head head = {})
      : script_{std::move(script)}, accept_{std::move(accept)}, head_{std::move(head)} {
    listener_ = bound_socket(64);
    port_ = port_of(listener_.get());
    nonblocking(listener_.get());
    wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    thread_ = std::thread{[this] { run(); }};
  }
  ~ScriptedHttp() {
    stopping_ = true;
    const std::uint64_t one = 1;
    if (write(wake_.get(), &one, sizeof one) != sizeof one) std::abort();
    thread_.join();
  }
  ScriptedHttp(const ScriptedHttp&) = delete;
  ScriptedHttp& operator=(const ScriptedHttp&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  /// The first `count` requests; throws when they have not come after 20 s.
  std::vector<HttpRequest> wait_requests(std::size_t count) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, kPatience, [&] { return requests_.size() >= count; }))
      throw std::runtime_error{"only " + std::to_string(requests_.size()) + " requests came"};
    return requests_;
  }
  std::vector<HttpRequest> requests() {
    const std::lock_guard lock{mutex_};
    return requests_;
  }
  /// Waits until so many connections were made; throws when they were not after 20 s.
  void wait_connections(std::size_t count) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, kPatience, [&] { return accepted_ >= count; }))
      throw std::runtime_error{"only " + std::to_string(accepted_) + " connections came"};
  }
  std::size_t connections() {
    const std::lock_guard lock{mutex_};
    return accepted_;
  }
  /// Most requests that were read and not yet answered at once; a script that hangs adds to it.
  std::size_t most_at_once() {
    const std::lock_guard lock{mutex_};
    return most_at_once_;
  }

 private:
  static constexpr std::chrono::seconds kPatience{20};
  static constexpr int kDripMs = 10;

  struct Connection {
    Descriptor socket{};
    std::size_t number = 0;
    std::string in{};
    std::string out{};
    std::string endless{};
    std::string drip{};
    bool asked_about_head = false;
    bool replying = false;
    bool close = false;
    bool reset = false;
    bool hang = false;
    bool dead = false;
  };

  static void nonblocking(int descriptor) {
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  }

  void run() {
    while (!stopping_) {
      std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      bool drips = false;
      for (const auto& connection : connections_) {
        short events = connection->hang ? 0 : POLLIN;
        if (!connection->out.empty() || !connection->endless.empty()) events |= POLLOUT;
        drips = drips || !connection->drip.empty();
        polled.push_back({connection->socket.get(), events, 0});
      }
      poll(polled.data(), polled.size(), drips ? kDripMs : -1);
      const std::size_t known = connections_.size();
      for (std::size_t index = 0; index < known; ++index)
        serve(*connections_[index], polled[index + 2].revents);
      if ((polled[1].revents & POLLIN) != 0) accept_all();
      std::erase_if(connections_, [](const auto& connection) { return connection->dead; });
    }
  }

  void accept_all() {
    for (;;) {
      Descriptor socket{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (socket.get() < 0) return;
      auto connection = std::make_unique<Connection>();
      connection->socket = std::move(socket);
      {
        const std::lock_guard lock{mutex_};
        connection->number = accepted_++;
        changed_.notify_all();
      }
      if (accept_) {
        if (const auto reply = accept_(connection->number)) begin(*connection, *reply);
      }
      if (!connection->dead) connections_.push_back(std::move(connection));
    }
  }

  void serve(Connection& connection, short events) {
    if ((events & (POLLERR | POLLNVAL)) != 0) return end(connection);
    if ((events & POLLIN) != 0 && !read_some(connection)) return end(connection);
    if (connection.hang && (events & POLLHUP) != 0) return end(connection);
    if (!connection.replying) look(connection);
    if (!connection.drip.empty() && connection.out.empty()) {
      connection.out = connection.drip.substr(0, 1);
      connection.drip.erase(0, 1);
    }
    write_some(connection);
  }

  static bool read_some(Connection& connection) {
    char chunk[65536];
    const ssize_t got = recv(connection.socket.get(), chunk, sizeof chunk, 0);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN;
    connection.in.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  // Reads a request from what has come in, if it is complete.
  void look(Connection& connection) {
    const std::size_t head_end = connection.in.find("\r\n\r\n");
    if (head_end == std::string::npos) return;
    HttpRequest request = parse_head(connection.in.substr(0, head_end + 2));
    request.connection = connection.number;
    if (head_ && !std::exchange(connection.asked_about_head, true)) {
      if (const auto reply = head_(request)) return begin(connection, *reply);
    }
    const std::size_t length = std::strtoul(request.header("content-length").c_str(), nullptr, 10);
    if (connection.in.size() < head_end + 4 + length) return;
    request.body = connection.in.substr(head_end + 4, length);
    connection.in.erase(0, head_end + 4 + length);
    connection.asked_about_head = false;
    {
      const std::lock_guard lock{mutex_};
      request.number = requests_.size();
      most_at_once_ = std::max(most_at_once_, ++at_once_);
    }
    const HttpReply reply = script_(request);
    {
      const std::lock_guard lock{mutex_};
      if (!reply.hang) --at_once_;
      requests_.push_back(std::move(request));
      changed_.notify_all();
    }
    begin(connection, reply);
  }

  static HttpRequest parse_head(const std::string& head) {
    HttpRequest request;
    std::size_t end = head.find("\r\n");
    const std::string first = head.substr(0, end);
    const std::size_t space = first.find(' ');
    request.method = first.substr(0, space);
    request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
    while (end + 2 < head.size()) {
      const std::size_t start = end + 2;
      end = head.find("\r\n", start);
      const std::string line = head.substr(start, end - start);
      const std::size_t colon = std::min(line.find(':'), line.size());
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      const std::size_t value = line.find_first_not_of(' ', std::min(colon + 1, line.size()));
      std::string text = value == std::string::npos ? std::string{} : line.substr(value);
      const auto [known, added] = request.headers.emplace(name, text);
      if (!added) known->second += ',' + text;
    }
    return request;
  }

  void begin(Connection& connection, const HttpReply& reply) {
    connection.replying = true;
    connection.out += reply.bytes;
    connection.endless = reply.endless;
    connection.drip = reply.drip;
    connection.close = reply.close;
    connection.reset = reply.reset;
    connection.hang = reply.hang;
    write_some(connection);
  }

  static void write_some(Connection& connection) {
    if (connection.out.empty() && !connection.endless.empty()) connection.out = connection.endless;
    if (!connection.out.empty()) {
      const ssize_t sent =
          send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return end(connection);
      if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
    }
    const bool done = connection.out.empty() && connection.endless.empty() && connection.drip.empty();
    if (!connection.replying || !done || connection.hang) return;
    connection.replying = false;
    if (connection.close || connection.reset) end(connection);
  }

  static void end(Connection& connection) {
    if (connection.reset) {
      const linger now{1, 0};
      setsockopt(connection.socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    connection.socket.reset();
    connection.dead = true;
  }

  // Constant after construction.
  const Script script_;
  const Accept accept_;
  const Head head_;
  Descriptor listener_;
  Descriptor wake_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  // Its thread only.
  std::vector<std::unique_ptr<Connection>> connections_;
  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpRequest> requests_;
  std::size_t accepted_ = 0;
  std::size_t at_once_ = 0;
  std::size_t most_at_once_ = 0;
  std::thread thread_;
};

}  // namespace support
