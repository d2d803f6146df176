// SPDX-License-Identifier: MIT
#include "sinks/mqtt/network.hpp"

#include "sinks/mqtt/now.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <fmt/format.h>
#include <mqtt_protocol.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

namespace satchel::mqtt {

using std::chrono::milliseconds;
using verdicts::Cause;
using verdicts::Source;

Network::Network(const MqttOptions& options, std::shared_ptr<Exchange> exchange, Lookup lookup)
    : options_(options),
      exchange_(std::move(exchange)),
      resolver_(std::move(lookup), [shared = exchange_] { shared->wake(); }),
      window_(options.window) {
  sent_.reserve(options.window);
}

void Network::run() noexcept {
  while (!finished_) {
    try {
      round();
    } catch (const std::exception& problem) {
      // Memory or descriptors ran out in the middle of something: nothing is known about the connection any
      // more.
      fail(verdicts::transport(Cause::out_of_resources, problem.what()));
    }
  }
}

void Network::round() {
  obey(exchange_->take());
  publish_waiting();
  flush();
  if (drop_) fail(*std::exchange(drop_, std::nullopt));
  if (stop_by_) pursue_stop();
  if (!finished_) wait();
}

void Network::obey(Orders orders) {
  const BootTime now = boot_now();
  for (Delivery& delivery : orders.deliveries) waiting_.push_back({std::move(delivery), now});
  if (orders.reset) {
    // A route that is paused is no device that is gone: the broker is not to publish the will.
    const bool idle = phase_ == Phase::up && !disconnecting_ && sent_.empty() && waiting_.empty();
    if (idle) client_->disconnect();
    // The contract counts all that the sink was given as under way, written or not.
    fail(down("the connection was given up on request"), true);
  }
  if (orders.stop_by && !stop_by_) begin_stop(*orders.stop_by);
  if (orders.resume && !stop_by_) {
    if (phase_ == Phase::up) exchange_->up();
    if (phase_ == Phase::idle) begin(preferred_protocol());
  }
  if (phase_ != Phase::up && !waiting_.empty()) {
    // The connection went while these were on their way here.
    answer_all(down("the connection was lost before the message was sent"));
  }
}

int Network::poll_timeout(BootTime now) const {
  std::optional<milliseconds> left;
  const auto consider = [&left](auto duration) {
    const auto rounded = std::chrono::ceil<milliseconds>(duration);
    if (!left || rounded < *left) left = rounded;
  };
  if (phase_ == Phase::resolving) consider(attempt_.deadline - now);
  if (phase_ == Phase::connecting) {
    consider((attempt_.tcp_established ? attempt_.deadline : attempt_.address_deadline) - now);
  }
  const auto steady = std::chrono::steady_clock::now();
  if (phase_ == Phase::up) {
    if (!deadlines_.empty()) consider(deadlines_.front().second - now);
    if (keep_alive_.count() > 0) consider(std::min(last_in_, last_out_) + keep_alive_ - steady);
  }
  if (stop_by_) consider((disconnecting_ ? *stop_by_ : *drain_by_) - steady);
  if (!left) return -1;
  return static_cast<int>(std::clamp<std::int64_t>(left->count(), 0, 3'600'000));
}

void Network::wait() {
  std::array<pollfd, 2> fds{};
  fds[0] = {exchange_->descriptor(), POLLIN, 0};
  const bool connected = client_ && client_->socket() >= 0;
  if (connected) {
    const bool opening = phase_ == Phase::connecting && !attempt_.tcp_established;
    fds[1] = {client_->socket(),
              static_cast<short>(POLLIN | (opening || client_->wants_write() ? POLLOUT : 0)), 0};
  }
  const int count = ::poll(fds.data(), connected ? 2 : 1, poll_timeout(boot_now()));
  if (count < 0 && errno != EINTR) throw std::system_error{errno, std::generic_category(), "poll"};
  if (phase_ == Phase::resolving) accept_addresses();
  if (connected && fds[1].revents != 0) {
    if (phase_ == Phase::connecting) {
      serve_connecting(fds[1].revents);
    } else if (phase_ == Phase::up) {
      serve_up(fds[1].revents);
    }
  }
  check_deadlines();
}

void Network::publish_waiting() {
  if (phase_ != Phase::up || stop_by_ || drop_ || waiting_.empty()) return;
  const bool many = waiting_.size() > 1 && window_ > sent_.size() + 1;
  if (many) client_->cork(true);
  // A message is handed to the library only while the socket takes what was handed over before: so what is
  // still here was never on the wire, and what the library has was, all but a part of the last one.
  while (!waiting_.empty() && sent_.size() < window_ && !client_->has_backlog() && !drop_) {
    if (!publish(waiting_.front())) break;
    waiting_.pop_front();
    if (options_.qos == 0) take_acks();
  }
  if (many && client_->socket() >= 0) client_->cork(false);
  touch_out();
}

bool Network::publish(const Waiting& waiting) {
  const Delivery& delivery = waiting.delivery;
  const BootTime now = boot_now();
  const PacketFormat format{client_->protocol() == MQTT_PROTOCOL_V5, options_.envelope, options_.qos,
                            options_.topic_prefix};
  const Packet packet =
      make_packet(delivery, format, std::chrono::duration_cast<milliseconds>(now - waiting.since));
  const std::size_t limit = maximum_packet_size_ != 0 ? maximum_packet_size_ : kMaximumPacketSize;
  int packet_id = 0;
  int result = MOSQ_ERR_OVERSIZE_PACKET;
  if (packet.size <= limit) result = client_->publish(packet, options_, packet_id);
  if (result == MOSQ_ERR_SUCCESS) {
    const BootTime deadline = now + options_.ack_timeout;
    sent_.insert_or_assign(packet_id, Sent{delivery.claim, deadline});
    deadlines_.emplace_back(packet_id, deadline);
    return true;
  }
  Receipt receipt = verdicts::classify(Source::mosquitto_publish, result,
                                       result == MOSQ_ERR_OVERSIZE_PACKET
                                           ? fmt::format("{} bytes, the limit is {}", packet.size, limit)
                                           : mosquitto_strerror(result));
  if (receipt.verdict == Verdict::down) {
    // Whatever the library did with it before it failed: the outcome is unknown.
    sent_.insert_or_assign(packet_id, Sent{delivery.claim, now});
    drop_ = cause_of_loss(result);
    return true;
  }
  receipt.claim = delivery.claim;
  receipts_.push_back(std::move(receipt));
  return true;
}

void Network::serve_up(short events) {
  int result = MOSQ_ERR_SUCCESS;
  if ((events & (POLLIN | POLLERR | POLLHUP)) != 0) {
    result = client_->read();
    touch_in();
  }
  if (result == MOSQ_ERR_SUCCESS && client_->socket() >= 0 && (events & POLLOUT) != 0) {
    result = client_->write();
    touch_out();
  }
  take_acks();
  if (disconnecting_ && client_->socket() < 0) return;
  if (result != MOSQ_ERR_SUCCESS || client_->socket() < 0) {
    // The receipts of what was answered in this round go first.
    flush();
    fail(cause_of_loss(result));
  }
}

void Network::take_acks() {
  for (Ack& ack : client_->acks()) {
    const auto found = sent_.find(ack.packet_id);
    if (found == sent_.end()) continue;
    Receipt receipt = verdicts::classify(Source::mqtt_puback, ack.code, ack.detail);
    if (verdicts::find(Source::mqtt_puback, ack.code).hint == verdicts::Hint::fresh_connection)
      drop_ = receipt;
    receipt.claim = found->second.claim;
    receipts_.push_back(std::move(receipt));
    sent_.erase(found);
  }
  client_->acks().clear();
  while (!deadlines_.empty()) {
    const auto& [packet_id, deadline] = deadlines_.front();
    const auto found = sent_.find(packet_id);
    // The same packet id may have been taken again since.
    if (found != sent_.end() && found->second.deadline == deadline) break;
    deadlines_.pop_front();
  }
}

void Network::check_deadlines() {
  const BootTime now = boot_now();
  switch (phase_) {
    case Phase::idle:
      break;
    case Phase::resolving:
      if (now >= attempt_.deadline) fail(verdicts::transport(Cause::name_timeout, options_.host));
      break;
    case Phase::connecting:
      if (now >= attempt_.deadline) {
        fail(verdicts::transport(Cause::connect_timeout,
                                 attempt_.tcp_established ? "no CONNACK from " + address() : address()));
      } else if (!attempt_.tcp_established && now >= attempt_.address_deadline) {
        next_address(verdicts::transport(Cause::connect_timeout, address()));
      }
      break;
    case Phase::up:
      if (!deadlines_.empty() && now >= deadlines_.front().second) {
        flush();
        fail(verdicts::transport(Cause::answer_timeout,
                                 fmt::format("no PUBACK within {} ms", options_.ack_timeout.count())));
      } else {
        check_keep_alive();
      }
      break;
  }
}

void Network::check_keep_alive() {
  const auto now = std::chrono::steady_clock::now();
  if (keep_alive_.count() == 0 || now < std::min(last_in_, last_out_) + keep_alive_) return;
  const int result = client_->keep_alive();
  // It has sent a PINGREQ, or it has found that the answer to the last one stays out.
  last_in_ = last_out_ = now;
  if (result != MOSQ_ERR_SUCCESS || client_->socket() < 0) fail(cause_of_loss(result));
}

Receipt Network::cause_of_loss(int result) const {
  const auto& disconnect = client_->disconnected();
  constexpr int kFirstReason = 0x80;
  if (disconnect && (disconnect->code >= kFirstReason || disconnect->code == 0)) {
    return verdicts::classify(Source::mqtt_disconnect, disconnect->code, disconnect->detail);
  }
  if (auto tls = client_->tls().receipt()) return *tls;
  // The callback is more precise than the return value: it tells a missing PINGRESP from a lost connection.
  const int code = disconnect && disconnect->code > 0 ? disconnect->code : result;
  return verdicts::classify(Source::mosquitto_connection, code, client_->last_error());
}

void Network::fail(Receipt cause, bool all_exposed) {
  cause.claim = 0;
  const bool mute = phase_ == Phase::connecting && attempt_.tcp_established && !client_->connack();
  // The one try with MQTT 3.1.1 has to go to where MQTT 5 was hung up on.
  if (mute && !try_v311_) first_address_ += attempt_.next;
  client_.reset();
  phase_ = Phase::idle;
  drop_.reset();
  answer_all(cause, all_exposed);
  if (!stop_by_) exchange_->down(std::move(cause));
}

void Network::answer_all(const Receipt& cause, bool all_exposed) {
  Receipt receipt = down(cause.reason, cause.verdict == Verdict::down ? cause.after : milliseconds{0});
  receipt.exposed = true;
  for (const auto& [packet_id, sent] : sent_) {
    receipt.claim = sent.claim;
    receipts_.push_back(receipt);
  }
  sent_.clear();
  deadlines_.clear();
  receipt.exposed = all_exposed;
  for (const Waiting& waiting : waiting_) {
    receipt.claim = waiting.delivery.claim;
    receipts_.push_back(receipt);
  }
  waiting_.clear();
  flush();
}

void Network::flush() { exchange_->receipts(std::exchange(receipts_, {})); }

void Network::begin_stop(Exchange::Deadline by) {
  const auto now = std::chrono::steady_clock::now();
  stop_by_ = by;
  drain_by_ = now + std::max((by - now) / 2, Exchange::Deadline::duration::zero());
  if (phase_ != Phase::up) {
    client_.reset();
    phase_ = Phase::idle;
  }
}

void Network::pursue_stop() {
  const auto now = std::chrono::steady_clock::now();
  if (phase_ == Phase::up && !disconnecting_ && (sent_.empty() || now >= *drain_by_)) {
    disconnecting_ = true;
    if (client_->disconnect() != MOSQ_ERR_SUCCESS) client_.reset();
    touch_out();
  }
  const bool connected = phase_ == Phase::up && client_ && client_->socket() >= 0;
  if (connected && now < *stop_by_) return;
  finished_ = true;
  client_.reset();
  phase_ = Phase::idle;
  answer_all(down("the sink was stopped before the answer came"));
}

}  // namespace satchel::mqtt
