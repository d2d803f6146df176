// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel::mqtt {

/// What one delivery puts on the wire beside its topic.
struct Packet {
  std::string topic;
  /// Points into the delivery, or to `envelope`.
  std::string_view payload;
  std::string envelope;
  /// MQTT 5 only.
  std::vector<std::pair<std::string, std::string>> user_properties;
  std::string_view content_type;
  std::uint32_t expiry_seconds = 0;  ///< 0: does not expire
  /// Bytes of the whole PUBLISH packet, fixed header included.
  std::size_t size = 0;
};

/// MQTT 5.0 section 2.1.4: the largest remaining length, and the fixed header before it.
inline constexpr std::size_t kMaximumPacketSize = 268'435'455 + 5;

struct PacketFormat {
  bool v5 = true;
  bool envelope = false;  ///< only looked at without `v5`
  int qos = 1;
  std::string_view topic_prefix;
};

/// `waited`: how long the delivery has been with the sink; it counts against its remaining time. The result
/// points into `delivery`.
Packet make_packet(const Delivery& delivery, const PacketFormat& format, std::chrono::milliseconds waited);

/// Seconds, rounded up, at least 1, at most what fits.
std::uint32_t expiry_interval(std::chrono::milliseconds remaining);

/// The delivery as a CloudEvents 1.0 event in JSON: `id`, `source` (urn:satchel:<identity>), `type`
/// (satchel.message), `subject` (topic), `time`, `datacontenttype`, `partitionkey` (key), the extensions
/// `satchelsequence` (text) and `satchelheaders`, which holds the headers' JSON object as text. Payloads of a
/// JSON type are embedded, other text is a string, the rest is `data_base64`.
std::string cloud_event(const Delivery& delivery, std::string_view topic);

}  // namespace satchel::mqtt
