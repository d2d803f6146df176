// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/mqtt/client.hpp"
#include "sinks/mqtt/exchange.hpp"
#include "sinks/mqtt/resolver.hpp"

#include <satchel/clock.hpp>
#include <satchel/mqtt.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace satchel::mqtt {

/// What the network thread does: one poll loop over the broker's socket and the exchange's descriptor.
///
/// It never connects by itself: `resume` makes it try once (the addresses of the host until one takes the
/// connection, and MQTT 3.1.1 after a refusal of MQTT 5), and it answers with up or down. An address that
/// takes it and gives no CONNACK is the last at the next try, or it would hide the others for good. When a
/// connection ends, the receipts of what was under way come first, then down. One thread only.
class Network {
 public:
  /// `exchange` is kept by lookups that are left behind.
  Network(const MqttOptions& options, std::shared_ptr<Exchange> exchange, Lookup lookup);

  /// Returns after an order to stop.
  void run() noexcept;

 private:
  enum class Phase : std::uint8_t { idle, resolving, connecting, up };

  /// One try to connect, over all addresses.
  struct Attempt {
    int protocol = 0;
    Client::Login login;
    BootTime deadline{};
    std::vector<std::string> addresses;
    std::size_t next = 0;
    BootTime address_deadline{};
    bool tcp_established = false;
    Receipt failure;
  };
  struct Waiting {
    Delivery delivery;
    BootTime since;
  };
  struct Sent {
    std::uint64_t claim;
    BootTime deadline;
  };

  void round();
  void obey(Orders orders);
  void wait();
  int poll_timeout(BootTime now) const;

  // connecting (network_connect.cpp)
  void begin(int protocol);
  int preferred_protocol() const noexcept;
  bool falls_back(int code) const noexcept;
  void accept_addresses();
  void open_next();
  void next_address(Receipt failure);
  void serve_connecting(short events);
  void refused_before_connack(int result);
  void accept_connack();
  std::string address() const;
  /// The next attempt begins with the address of this one.
  void keep_address() noexcept { first_address_ += attempt_.next - 1; }

  // connected
  void publish_waiting();
  bool publish(const Waiting& waiting);
  void serve_up(short events);
  void take_acks();
  void check_deadlines();
  void check_keep_alive();
  Receipt cause_of_loss(int result) const;
  void touch_in() noexcept { last_in_ = std::chrono::steady_clock::now(); }
  void touch_out() noexcept { last_out_ = std::chrono::steady_clock::now(); }

  // ending
  /// Ends the connection: receipts for everything with the sink, then down. `all_exposed`: also for what was
  /// never written.
  void fail(Receipt cause, bool all_exposed = false);
  void answer_all(const Receipt& cause, bool all_exposed = false);
  void flush();
  void begin_stop(Exchange::Deadline by);
  void pursue_stop();

  // constant after construction
  const MqttOptions options_;
  const std::shared_ptr<Exchange> exchange_;

  // network thread only
  Resolver resolver_;
  Phase phase_ = Phase::idle;
  Attempt attempt_;
  std::unique_ptr<Client> client_;
  std::size_t first_address_ = 0;  ///< from which of the host's an attempt begins; counts round and round
  bool v5_refused_ = false;        ///< the broker said so: MQTT 3.1.1 from then on
  bool try_v311_ = false;  ///< it hung up on MQTT 5 without a word: the next try, and only that, is 3.1.1
  std::size_t window_ = 1;
  std::size_t maximum_packet_size_ = 0;
  std::chrono::seconds keep_alive_{0};
  std::deque<Waiting> waiting_;
  std::unordered_map<int, Sent> sent_;  ///< by packet id
  std::deque<std::pair<int, BootTime>>
      deadlines_;  ///< in the order of sending; may name packets that are answered already
  std::vector<Receipt> receipts_;
  std::optional<Receipt> drop_;  ///< the connection is to be given up after this round, and why
  // The library's keep-alive runs on CLOCK_MONOTONIC; to be asked in time it has to be watched on the same
  // clock.
  std::chrono::steady_clock::time_point last_in_;
  std::chrono::steady_clock::time_point last_out_;
  std::optional<Exchange::Deadline> drain_by_;
  std::optional<Exchange::Deadline> stop_by_;
  bool disconnecting_ = false;
  bool finished_ = false;
};

}  // namespace satchel::mqtt
