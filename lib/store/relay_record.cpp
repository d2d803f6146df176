// SPDX-License-Identifier: MIT
#include "store/relay_record.hpp"

#include "store/schema.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace satchel::store {
namespace {

// Layout: magic 8, checksum 4 of all behind it, runs 4, sequence 8, epoch 8, highest 8, origin 16, alone 8;
// then runs of (first 8, count 4).
constexpr std::string_view kMagic = "satchel\1";
constexpr std::size_t kChecked = 12;
constexpr std::size_t kRunBytes = kRecordIdBytes;
constexpr std::uint32_t kMaxRuns = 65'535;
constexpr std::uint64_t kMaxIds = 1'000'000;

std::uint32_t crc32(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
      made[i] = value;
    }
    return made;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFFU] ^ (crc >> 8U);
  return ~crc;
}

template <class Number>
void put(std::string& to, Number value) {
  static_assert(std::is_integral_v<Number>);
  for (std::size_t i = 0; i < sizeof value; ++i) {
    to.push_back(static_cast<char>(static_cast<std::make_unsigned_t<Number>>(value) >> (8 * i)));
  }
}

template <class Number>
Number get(std::string_view from, std::size_t at) {
  std::make_unsigned_t<Number> value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<std::make_unsigned_t<Number>>(static_cast<unsigned char>(from[at + i])) << (8 * i);
  }
  return static_cast<Number>(value);
}

struct Run {
  std::int64_t first;
  std::uint32_t count;
};

std::vector<Run> runs_of(const std::vector<std::int64_t>& ids, std::size_t limit) {
  std::vector<Run> runs;
  for (const std::int64_t id : ids) {
    if (!runs.empty() && runs.back().first + runs.back().count == id) {
      ++runs.back().count;
    } else if (runs.size() < limit) {
      runs.push_back({id, 1});
    } else {
      break;
    }
  }
  return runs;
}

}  // namespace

std::string encode(const RelayRecord& record, std::size_t limit) {
  const std::size_t room = limit < kRecordHeader ? 0 : (limit - kRecordHeader) / kRunBytes;
  const std::vector<Run> runs = runs_of(record.in_flight, std::min<std::size_t>(room, kMaxRuns));
  std::string checked;
  checked.reserve(kRecordHeader + runs.size() * kRunBytes);
  put(checked, static_cast<std::uint32_t>(runs.size()));
  put(checked, record.sequence);
  put(checked, record.epoch);
  put(checked, record.highest_sent);
  for (const std::uint8_t byte : record.origin) put(checked, byte);
  put(checked, record.alone);
  for (const Run& run : runs) {
    put(checked, run.first);
    put(checked, run.count);
  }
  std::string bytes{kMagic};
  put(bytes, crc32(checked));
  return bytes + checked;
}

std::optional<std::size_t> record_size(std::string_view header) {
  if (header.size() < kRecordHeader || header.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  const auto runs = get<std::uint32_t>(header, kChecked);
  if (runs > kMaxRuns) return std::nullopt;
  return kRecordHeader + runs * kRunBytes;
}

std::optional<RelayRecord> decode(std::string_view bytes) {
  const std::optional<std::size_t> size = record_size(bytes);
  if (!size || bytes.size() < *size) return std::nullopt;
  bytes = bytes.substr(0, *size);
  if (get<std::uint32_t>(bytes, kMagic.size()) != crc32(bytes.substr(kChecked))) return std::nullopt;
  RelayRecord record;
  record.sequence = get<std::uint64_t>(bytes, 16);
  record.epoch = get<std::int64_t>(bytes, 24);
  record.highest_sent = get<std::int64_t>(bytes, 32);
  std::memcpy(record.origin.data(), bytes.data() + 40, record.origin.size());
  record.alone = get<std::int64_t>(bytes, 56);
  for (std::size_t at = kRecordHeader; at < bytes.size(); at += kRunBytes) {
    const auto first = get<std::int64_t>(bytes, at);
    const auto count = get<std::uint32_t>(bytes, at + 8);
    if (record.in_flight.size() + count > kMaxIds) return std::nullopt;
    if (first < 1 || first - 1 > kMaxRow - count) return std::nullopt;
    for (std::uint32_t i = 0; i < count; ++i) record.in_flight.push_back(first + i);
  }
  return record;
}

}  // namespace satchel::store
