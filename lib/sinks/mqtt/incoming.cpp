// SPDX-License-Identifier: MIT
#include "sinks/mqtt/incoming.hpp"

#include <mqtt_protocol.h>

#include <algorithm>
#include <optional>

namespace satchel::mqtt {
namespace {

using Kind = Incoming::Kind;

constexpr unsigned kVarintEnd = 0x80;
constexpr std::size_t kMaximumVarint = 4;

enum class Type : std::uint8_t {
  connack = 2,
  publish = 3,
  puback = 4,
  pubrel = 6,
  pingresp = 13,
  disconnect = 14
};

/// Takes bytes away from the front; once there were too few, `short_of` stays true.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) noexcept : rest_(bytes) {}

  void skip(std::size_t count) noexcept {
    if (count > rest_.size()) short_of_ = true;
    rest_.remove_prefix(std::min(count, rest_.size()));
  }
  unsigned byte() noexcept {
    if (rest_.empty()) {
      short_of_ = true;
      return 0;
    }
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  unsigned number() noexcept {
    const unsigned high = byte();
    return high << 8U | byte();
  }
  std::size_t varint() noexcept {
    std::size_t value = 0;
    for (std::size_t place = 0; place < kMaximumVarint; ++place) {
      const unsigned next = byte();
      value |= static_cast<std::size_t>(next & ~kVarintEnd) << (7 * place);
      if (next < kVarintEnd) return value;
    }
    short_of_ = true;
    return 0;
  }
  void skip_text() noexcept { skip(number()); }
  std::string_view take(std::size_t count) noexcept {
    const std::string_view taken = rest_.substr(0, count);
    skip(count);
    return taken;
  }
  bool empty() const noexcept { return rest_.empty(); }
  bool short_of() const noexcept { return short_of_; }

 private:
  std::string_view rest_;
  bool short_of_ = false;
};

/// Goes over the value of a property; false: its number is none of MQTT 5.0 (section 2.2.2.2).
bool skip_property(std::size_t identifier, Cursor& cursor) noexcept {
  switch (identifier) {
    case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
    case MQTT_PROP_REQUEST_PROBLEM_INFORMATION:
    case MQTT_PROP_REQUEST_RESPONSE_INFORMATION:
    case MQTT_PROP_MAXIMUM_QOS:
    case MQTT_PROP_RETAIN_AVAILABLE:
    case MQTT_PROP_WILDCARD_SUB_AVAILABLE:
    case MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE:
    case MQTT_PROP_SHARED_SUB_AVAILABLE:
      cursor.skip(1);
      return true;
    case MQTT_PROP_SERVER_KEEP_ALIVE:
    case MQTT_PROP_RECEIVE_MAXIMUM:
    case MQTT_PROP_TOPIC_ALIAS_MAXIMUM:
    case MQTT_PROP_TOPIC_ALIAS:
      cursor.skip(2);
      return true;
    case MQTT_PROP_MESSAGE_EXPIRY_INTERVAL:
    case MQTT_PROP_SESSION_EXPIRY_INTERVAL:
    case MQTT_PROP_WILL_DELAY_INTERVAL:
    case MQTT_PROP_MAXIMUM_PACKET_SIZE:
      cursor.skip(4);
      return true;
    case MQTT_PROP_SUBSCRIPTION_IDENTIFIER:
      cursor.varint();
      return true;
    case MQTT_PROP_CONTENT_TYPE:
    case MQTT_PROP_RESPONSE_TOPIC:
    case MQTT_PROP_CORRELATION_DATA:
    case MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER:
    case MQTT_PROP_AUTHENTICATION_METHOD:
    case MQTT_PROP_AUTHENTICATION_DATA:
    case MQTT_PROP_RESPONSE_INFORMATION:
    case MQTT_PROP_SERVER_REFERENCE:
    case MQTT_PROP_REASON_STRING:
      cursor.skip_text();
      return true;
    case MQTT_PROP_USER_PROPERTY:
      cursor.skip_text();
      cursor.skip_text();
      return true;
    default:
      return false;
  }
}

bool are_properties_sound(Cursor& packet) noexcept {
  const std::size_t length = packet.varint();
  Cursor properties{packet.take(length)};
  while (!packet.short_of() && !properties.empty()) {
    if (!skip_property(properties.varint(), properties) || properties.short_of()) return false;
  }
  return !packet.short_of();
}

/// Of a packet of MQTT 5; what stands before the properties may be all there is.
bool is_sound(Type type, unsigned flags, std::string_view body) noexcept {
  Cursor cursor{body};
  switch (type) {
    case Type::pingresp:
      return true;
    case Type::publish:
      cursor.skip_text();
      if ((flags & 0x6U) != 0) cursor.skip(2);
      return !cursor.short_of() && are_properties_sound(cursor);
    case Type::disconnect:
      cursor.skip(std::min<std::size_t>(body.size(), 1));
      break;
    case Type::connack:
      // A broker of MQTT 3.1.1 refuses with a CONNACK without properties.
      cursor.skip(std::min<std::size_t>(body.size(), 2));
      break;
    case Type::puback:
    case Type::pubrel:
      cursor.skip(std::min<std::size_t>(body.size(), 3));
      break;
  }
  return cursor.empty() || are_properties_sound(cursor);
}

std::optional<Type> type_of(unsigned first, bool v5) noexcept {
  const auto type = static_cast<Type>(first >> 4U);
  switch (type) {
    case Type::connack:
    case Type::publish:
    case Type::puback:
    case Type::pubrel:
    case Type::pingresp:
      return type;
    case Type::disconnect:
      if (v5) return type;
      break;
  }
  return std::nullopt;
}

}  // namespace

Incoming look_at(std::string_view bytes, bool v5) noexcept {
  Incoming found;
  Cursor cursor{bytes};
  const unsigned first = cursor.byte();
  if (bytes.size() < 2) {
    found.size = 2;
    if (bytes.empty() || type_of(first, v5)) return found;
  }
  const std::optional<Type> type = type_of(first, v5);
  found.kind = Kind::unexpected;
  if (!type) return found;
  const std::size_t length = cursor.varint();
  if (cursor.short_of()) {
    // Four bytes of a length that all announce another one, or less than the whole length.
    found.kind = bytes.size() > kMaximumVarint ? Kind::malformed : Kind::part;
    found.size = bytes.size() + 1;
    return found;
  }
  if (length > kMaximumIncoming) return found;
  const auto head = static_cast<std::size_t>(
                        std::find_if(bytes.begin() + 1, bytes.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < kVarintEnd; }) -
                        bytes.begin()) +
                    1;
  found.size = head + length;
  if (bytes.size() < found.size) {
    found.kind = Kind::part;
    return found;
  }
  const std::string_view body = bytes.substr(head, length);
  if (v5 && !is_sound(*type, first & 0xFU, body)) {
    found.kind = Kind::malformed;
    return found;
  }
  found.kind = Kind::whole;
  found.is_puback = *type == Type::puback && length >= 2;
  if (found.is_puback) found.packet_id = static_cast<std::uint16_t>(Cursor{body}.number());
  return found;
}

}  // namespace satchel::mqtt
