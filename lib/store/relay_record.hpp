// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::store {

/// What a relay notes beside the database about its work. It survives the process, not a power cut.
struct RelayRecord {
  std::uint64_t sequence = 0;  ///< counts the writes; the greater of two slots is the newer
  Identity origin{};           ///< the file it belongs to
  std::int64_t epoch = 0;
  std::int64_t highest_sent = 0;
  std::vector<std::int64_t> in_flight;  ///< ascending
  std::int64_t alone = 0;               ///< of these the one that was sent alone on purpose; 0: none

  bool operator==(const RelayRecord&) const = default;
};

/// The record as bytes with a checksum; runs of ids take one entry. With a `limit`, ids that do not fit are
/// left out.
std::string encode(const RelayRecord& record, std::size_t limit);

/// The reverse; nothing when the bytes are not a whole record.
std::optional<RelayRecord> decode(std::string_view bytes);

/// Bytes that one id takes at most.
inline constexpr std::size_t kRecordIdBytes = 12;
/// Bytes of the fixed part, and from there the length of the whole record; nothing when it is none.
inline constexpr std::size_t kRecordHeader = 64;
std::optional<std::size_t> record_size(std::string_view header);

}  // namespace satchel::store
