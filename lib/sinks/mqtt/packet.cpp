// SPDX-License-Identifier: MIT
#include "sinks/mqtt/packet.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <limits>

namespace satchel::mqtt {
namespace {

std::size_t variable_integer_size(std::size_t value) {
  if (value < 128) return 1;
  if (value < 16'384) return 2;
  return value < 2'097'152 ? 3 : 4;
}

std::size_t properties_size(const Packet& packet) {
  std::size_t size = 0;
  for (const auto& [name, value] : packet.user_properties) size += 5 + name.size() + value.size();
  if (!packet.content_type.empty()) size += 3 + packet.content_type.size();
  if (packet.expiry_seconds != 0) size += 5;
  return size;
}

// MQTT 5.0 section 3.3.
std::size_t packet_size(const Packet& packet, const PacketFormat& format) {
  std::size_t remaining = 2 + packet.topic.size() + (format.qos > 0 ? 2 : 0) + packet.payload.size();
  if (format.v5) {
    const std::size_t properties = properties_size(packet);
    remaining += variable_integer_size(properties) + properties;
  }
  return 1 + variable_integer_size(remaining) + remaining;
}

void add_properties(const Delivery& delivery, std::chrono::milliseconds waited, Packet& packet) {
  auto& properties = packet.user_properties;
  properties.reserve(4 + delivery.headers.size());
  properties.emplace_back("satchel-id", delivery.id.to_string());
  if (!delivery.key.empty()) properties.emplace_back("satchel-key", delivery.key);
  if (delivery.created) properties.emplace_back("satchel-created", rfc3339(*delivery.created));
  if (delivery.sequence) properties.emplace_back("satchel-sequence", std::to_string(*delivery.sequence));
  for (const Header& header : delivery.headers) properties.emplace_back(header.name, header.value);
  packet.content_type = delivery.content_type;
  if (delivery.remaining) packet.expiry_seconds = expiry_interval(*delivery.remaining - waited);
}

}  // namespace

Packet make_packet(const Delivery& delivery, const PacketFormat& format, std::chrono::milliseconds waited) {
  Packet packet;
  packet.topic.reserve(format.topic_prefix.size() + delivery.topic.size());
  packet.topic.append(format.topic_prefix).append(delivery.topic);
  packet.payload = delivery.payload;
  if (format.v5) {
    add_properties(delivery, waited, packet);
  } else if (format.envelope) {
    packet.envelope = cloud_event(delivery, packet.topic);
    packet.payload = packet.envelope;
  }
  packet.size = packet_size(packet, format);
  return packet;
}

std::uint32_t expiry_interval(std::chrono::milliseconds remaining) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(remaining).count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(seconds, 1, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace satchel::mqtt
