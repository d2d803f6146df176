// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/retry_policy.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// One name and value that travels beside the payload: an MQTT 5 user property, an HTTP header.
/// Names are HTTP tokens (RFC 9110 section 5.6.2), 1 to 128 bytes; values are UTF-8 without control
/// characters. `Authorization`, `Proxy-Authorization`, `Cookie` and `Set-Cookie` are dropped at enqueue:
/// a credential has no place in a file. Names that begin with `satchel-` are the library's own.
struct Header {
  std::string name;   ///< a token, compared without regard to case
  std::string value;  ///< at most `Options::max_header_bytes` with all others
  bool operator==(const Header&) const = default;
};

/// Which messages go first. Order is kept within a key, a route and a priority, not between priorities.
enum class Priority : std::uint8_t {
  normal,
  /// Before everything else that waits; not while so many messages of the route wait for their next attempt
  /// that nothing more is read, see `Options::retry_backoff`.
  urgent,
  bulk,  ///< when nothing else waits, and a share besides, see `Options::bulk_share`
};

/// What the application wants delivered. Only `topic` has to be set.
struct Message {
  /// Where it goes: an MQTT topic name, the `{topic}` of an HTTP sink's URL. 1 to 65,535 bytes of UTF-8,
  /// no `+`, no `#` (MQTT 5.0 section 4.7), no control characters but the tab.
  std::string topic{};
  /// Any bytes, up to `Options::max_payload_bytes`; may be empty.
  std::string payload{};
  /// Messages of one key are delivered in the order of their commits. At most 1024 bytes of UTF-8, no control
  /// characters but the tab. Empty: no order promised, which is cheaper and faster.
  std::string key{};
  /// Media type of the payload, for example `application/json`. At most 256 bytes of UTF-8, no control
  /// characters but the tab. Empty: not sent.
  std::string content_type{};
  std::vector<Header> headers{};  ///< sent beside the payload; at most `Options::max_header_bytes`
  /// The message is dropped, and counted as expired, when it could not be delivered in this time. Time
  /// is counted on the boot clock; time that the device was switched off counts only when the wall clock is
  /// trusted, and up to ten years. 1 ms to 100 years. Unset: what the `TopicRule` says, otherwise never.
  std::optional<std::chrono::milliseconds> expires_after{};
  /// Unset: what the `TopicRule` says, otherwise normal, which costs nothing; the others have an entry in an
  /// index.
  std::optional<Priority> priority{};
  /// The message is not sent before this time has passed since the enqueue, by the same clocks as
  /// `expires_after`: time switched off may not count, then it comes late, never early. It takes its place in
  /// the order of its key when it becomes due. 0 to 10 years, and less than `expires_after`.
  std::optional<std::chrono::milliseconds> not_before{};
  /// It takes the place of those pending messages of its key and topic that have not been sent yet: the last
  /// value wins. They are dropped, and counted, in the same transaction: 1000 of them at most, among the
  /// first 10,000 messages of the key. One that has failed before stays. Needs a key.
  std::optional<bool> coalesce{};
  /// Its own limits of attempts and age.
  std::optional<RetryPolicy> retry{};
};

/// 128 random bits that name a range of row ids of one file.
using Identity = std::array<std::uint8_t, 16>;

/// Names a message for ever and everywhere: every copy that reaches a receiver carries the same id, and no
/// other message has it. Written `<32 hex digits>-<row>`.
struct MessageId {
  Identity identity{};   ///< of the range of rows
  std::int64_t row = 0;  ///< of the message; 0: it was dropped at enqueue

  /// `<32 hex digits>-<row>`, as receivers see it.
  std::string to_string() const;
  /// The reverse of `to_string`; nothing when the text is not an id.
  static std::optional<MessageId> parse(std::string_view text);
  bool operator==(const MessageId&) const = default;
};

}  // namespace satchel

#pragma GCC visibility pop
