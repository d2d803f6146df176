// SPDX-License-Identifier: MIT
//
// A broker that says anything, to a real connection with messages under way. First byte: MQTT 3.1.1 instead
// of 5, and whether a CONNACK precedes the input.
#include "sinks/mqtt/client.hpp"
#include "sinks/mqtt/packet.hpp"
#include "support/loopback.hpp"

#include <mqtt_protocol.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using satchel::mqtt::Client;
using satchel::mqtt::Incoming;

void demand(bool condition) {
  if (!condition) std::abort();
}

void look_through(std::string_view rest, bool v5) {
  while (!rest.empty()) {
    const Incoming found = satchel::mqtt::look_at(rest, v5);
    if (found.kind == Incoming::Kind::part) demand(found.size > rest.size());
    if (found.kind != Incoming::Kind::whole) return;
    demand(found.size >= 2 && found.size <= rest.size());
    rest.remove_prefix(found.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool v5 = (data[0] & 1U) == 0;
  const bool connected = (data[0] & 2U) == 0;
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  look_through(input, v5);

  static const support::Descriptor listener = support::bound_socket(16);
  static const satchel::MqttOptions options;
  Client client{options, {"fuzz", "", ""}, v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311};
  if (client.connect("127.0.0.1", support::port_of(listener.get()), std::chrono::seconds{60}) > 0) return 0;
  support::Descriptor peer{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  // Closed by a reset, so that no port stays taken.
  const linger now{1, 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  client.write();
  if (connected) {
    const std::string connack = v5 ? std::string{"\x20\x03\0\0\0", 5} : std::string{"\x20\x02\0\0", 4};
    static_cast<void>(::send(peer.get(), connack.data(), connack.size(), MSG_NOSIGNAL));
    demand(client.read() == MOSQ_ERR_SUCCESS && client.connack());
    client.established();
    satchel::mqtt::Packet packet;
    packet.topic = "t";
    packet.payload = "p";
    for (int i = 0; i < 3; ++i) {
      int id = 0;
      demand(client.publish(packet, options, id) == MOSQ_ERR_SUCCESS && id == i + 1);
    }
  }
  static_cast<void>(::send(peer.get(), input.data(), input.size(), MSG_NOSIGNAL));
  ::shutdown(peer.get(), SHUT_WR);
  // Each call takes something, or says that the end has come.
  std::size_t calls = 0;
  while (client.read() == MOSQ_ERR_SUCCESS && client.socket() >= 0 && ++calls < 10'000) {
    if (client.wants_write()) client.write();
  }
  demand(calls < 10'000);
  for (const auto& ack : client.acks()) demand(ack.packet_id > 0 && ack.packet_id < 65'536);
  return 0;
}
