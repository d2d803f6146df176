// SPDX-License-Identifier: MIT
#pragma once

#include "support/loopback.hpp"

#include <netinet/tcp.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace support {

/// What the link between client and server does at one byte.
enum class Harm : std::uint8_t {
  none,
  cut,         ///< both ends get an orderly end of the connection
  reset,       ///< both ends get a reset
  half_close,  ///< the receiver of this way gets the end, the other way stays open
  stall,       ///< a black hole: nothing more comes through this way, nobody is told
  late,        ///< held back until the sender has given up, then handed over
  trickle,     ///< byte by byte for a while
  duplicate,   ///< the last bytes come twice
  delay,       ///< a pause
};
enum class Way : std::uint8_t { up, down };  ///< up: from the client to the server

struct LinkFault {
  Harm harm = Harm::none;
  Way way = Way::up;
  std::size_t at = 0;  ///< after so many bytes
};

/// Stands between a client and a server on loopback, on a thread of its own.
class FlakyProxy {
 public:
  /// What happened since `arm`.
  struct Figures {
    std::size_t connections = 0;
    std::size_t up = 0;  ///< bytes over the first of them
    std::size_t down = 0;
    bool fired = false;
  };

  explicit FlakyProxy(std::uint16_t server)
      : server_(server),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        listener_(bound_socket(64)),
        port_(port_of(listener_.get())) {
    thread_ = std::thread{[this] { run(); }};
  }
  ~FlakyProxy() {
    order([this] { stop_ = true; });
    thread_.join();
  }
  FlakyProxy(const FlakyProxy&) = delete;
  FlakyProxy& operator=(const FlakyProxy&) = delete;

  std::uint16_t port() const noexcept { return port_; }

  /// The next connection gets the fault, those after it none.
  void arm(const LinkFault& fault) {
    const std::lock_guard lock{mutex_};
    armed_ = fault;
    figures_ = {};
    ++generation_;
  }
  /// New connections are accepted, and nothing is ever passed or answered.
  void swallow(bool on) {
    order([this, on] { swallow_ = on; });
  }
  /// Connections that stand become black holes.
  void stall_all() {
    order([this] { stall_all_ = true; });
  }
  /// Connections that stand are reset.
  void break_all() {
    order([this] { break_all_ = true; });
  }
  Figures figures() const {
    const std::lock_guard lock{mutex_};
    return figures_;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kTail = 16;
  static constexpr std::size_t kTrickle = 32;
  static constexpr std::chrono::milliseconds kDelay{3};

  struct Flow {
    Way way{};
    Descriptor* from = nullptr;
    Descriptor* to = nullptr;
    std::string waiting{};
    std::string tail{};  // what was passed last
    std::size_t passed = 0;
    std::size_t trickle = 0;
    bool ended = false;   // the sender has closed
    bool closed = false;  // and the receiver was told
    bool swallow = false;
    bool hold = false;
    std::optional<Time> hold_until{};
  };
  struct Link {
    Descriptor client;
    Descriptor server;
    Flow up;
    Flow down;
    LinkFault fault;
    std::uint64_t generation = 0;
    bool first = false;
    bool fired = false;
    bool gone = false;
  };

  template <typename Change>
  void order(Change&& change) {
    {
      const std::lock_guard lock{mutex_};
      change();
    }
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_.get(), &one, sizeof one));
  }

  void run() {
    for (;;) {
      std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const auto& link : links_) {
        fds.push_back({wants(link->up) ? link->client.get() : -1, POLLIN, 0});
        fds.push_back({wants(link->down) ? link->server.get() : -1, POLLIN, 0});
        // Writing never waits here: what passes is small beside the sockets' buffers.
      }
      ::poll(fds.data(), fds.size(), timeout());
      if (fds[0].revents != 0 && !obey()) return;
      const std::size_t before = links_.size();
      for (std::size_t i = 0; i < before; ++i) serve(*links_[i], fds[2 + 2 * i], fds[3 + 2 * i]);
      if (fds[1].revents != 0) accept();
      std::erase_if(links_, [](const auto& link) { return link->gone; });
    }
  }

  static bool wants(const Flow& flow) { return !flow.ended; }

  int timeout() const {
    std::optional<Time> next;
    for (const auto& link : links_) {
      for (const Flow* flow : {&link->up, &link->down}) {
        if (flow->trickle > 0 && !flow->waiting.empty()) return 0;
        if (flow->hold_until && (!next || *flow->hold_until < *next)) next = flow->hold_until;
      }
    }
    if (!next) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  bool obey() {
    std::uint64_t count = 0;
    static_cast<void>(::read(wake_.get(), &count, sizeof count));
    const std::lock_guard lock{mutex_};
    if (std::exchange(stall_all_, false)) {
      for (const auto& link : links_) link->up.swallow = link->down.swallow = true;
    }
    if (std::exchange(break_all_, false)) {
      for (const auto& link : links_) abort(*link);
    }
    return !stop_;
  }

  void accept() {
    auto link = std::make_unique<Link>();
    link->client = Descriptor{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (link->client.get() < 0) return;
    {
      const std::lock_guard lock{mutex_};
      link->fault = std::exchange(armed_, LinkFault{});
      link->generation = generation_;
      link->first = figures_.connections++ == 0;
      link->up.swallow = swallow_;
    }
    link->up.way = Way::up;
    link->up.from = link->down.to = &link->client;
    link->down.way = Way::down;
    link->down.from = link->up.to = &link->server;
    link->server = Descriptor{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_in address = loopback_address(server_);
    if (::connect(link->server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return abort(*link);
    const int yes = 1;
    for (const Descriptor* each : {&link->client, &link->server})
      ::setsockopt(each->get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    links_.push_back(std::move(link));
    Link& made = *links_.back();
    if (made.fault.harm != Harm::none && made.fault.at == 0) fire(made);
  }

  void serve(Link& link, const pollfd& client, const pollfd& server) {
    if (!link.gone && client.revents != 0) receive(link, link.up);
    if (!link.gone && server.revents != 0) receive(link, link.down);
    if (!link.gone) pass(link, link.up);
    if (!link.gone) pass(link, link.down);
    if (link.up.closed && link.down.closed) link.gone = true;
  }

  void receive(Link& link, Flow& flow) {
    char chunk[16384];
    const ssize_t count = ::recv(flow.from->get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) abort(link);
      return;
    }
    if (count == 0) {
      flow.ended = true;
      // The sender has given up: what was held goes on its way.
      flow.hold = false;
      flow.hold_until.reset();
    } else if (!flow.swallow) {
      flow.waiting.append(chunk, static_cast<std::size_t>(count));
    }
  }

  void pass(Link& link, Flow& flow) {
    if (flow.hold_until && std::chrono::steady_clock::now() >= *flow.hold_until) flow.hold_until.reset();
    while (!flow.waiting.empty() && !flow.hold && !flow.hold_until && !flow.swallow && !link.gone) {
      std::size_t count = flow.waiting.size();
      if (flow.trickle > 0) count = 1;
      const bool ahead = is_ahead(link, flow);
      if (ahead) count = std::min(count, link.fault.at - flow.passed);
      const ssize_t sent = ::send(flow.to->get(), flow.waiting.data(), count, MSG_NOSIGNAL);
      if (sent <= 0) return abort(link);
      take(link, flow, static_cast<std::size_t>(sent));
      if (ahead && flow.passed == link.fault.at) fire(link);
      if (flow.trickle > 0) {
        --flow.trickle;
        break;
      }
    }
    // In a black hole the end of the sender is not told either, but a server is not kept for ever.
    if (!link.gone && flow.ended && !flow.closed && (flow.waiting.empty() || flow.swallow)) {
      flow.closed = true;
      ::shutdown(flow.to->get(), SHUT_WR);
    }
  }

  static bool is_ahead(const Link& link, const Flow& flow) {
    return link.fault.harm != Harm::none && !link.fired && flow.way == link.fault.way;
  }

  void take(const Link& link, Flow& flow, std::size_t count) {
    flow.tail += flow.waiting.substr(0, count);
    if (flow.tail.size() > kTail) flow.tail.erase(0, flow.tail.size() - kTail);
    flow.waiting.erase(0, count);
    flow.passed += count;
    const std::lock_guard lock{mutex_};
    if (link.first && link.generation == generation_)
      (flow.way == Way::up ? figures_.up : figures_.down) = flow.passed;
  }

  void fire(Link& link) {
    link.fired = true;
    {
      const std::lock_guard lock{mutex_};
      if (link.generation == generation_) figures_.fired = true;
    }
    Flow& flow = link.fault.way == Way::up ? link.up : link.down;
    switch (link.fault.harm) {
      case Harm::none:
        break;
      case Harm::cut:
        for (Flow* each : {&link.up, &link.down}) end(*each);
        break;
      case Harm::reset:
        abort(link);
        break;
      case Harm::half_close:
        end(flow);
        break;
      case Harm::stall:
        flow.swallow = true;
        flow.waiting.clear();
        break;
      case Harm::late:
        flow.hold = true;
        break;
      case Harm::trickle:
        flow.trickle = kTrickle;
        break;
      case Harm::duplicate:
        flow.waiting.insert(0, flow.tail);
        break;
      case Harm::delay:
        flow.hold_until = std::chrono::steady_clock::now() + kDelay;
        break;
    }
  }

  // The receiver gets an end; what comes from the sender is read and dropped, because closing a socket with
  // something unread in it is a reset.
  static void end(Flow& flow) {
    ::shutdown(flow.to->get(), SHUT_WR);
    flow.swallow = true;
    flow.waiting.clear();
  }

  static void abort(Link& link) {
    const linger now{1, 0};
    for (Descriptor* each : {&link.client, &link.server}) {
      if (each->get() < 0) continue;
      ::setsockopt(each->get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
      each->reset();
    }
    link.gone = true;
  }

  // constant after construction
  const std::uint16_t server_;
  Descriptor wake_;
  Descriptor listener_;
  const std::uint16_t port_;
  // guarded by mutex_
  mutable std::mutex mutex_;
  LinkFault armed_;
  Figures figures_;
  std::uint64_t generation_ = 0;
  bool swallow_ = false;
  bool stall_all_ = false;
  bool break_all_ = false;
  bool stop_ = false;
  // the proxy's thread only
  std::vector<std::unique_ptr<Link>> links_;
  // the owner's thread only
  std::thread thread_;
};

}  // namespace support
