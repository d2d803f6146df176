// SPDX-License-Identifier: MIT
//
// A slot of the relay file: either it is none, or a record that survives another round trip. The checksum is
// put right first, because otherwise nothing else would ever be looked at; a wrong one has to be noticed.
#include "store/relay_record.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

void demand(bool condition) {
  if (!condition) std::abort();
}

// A way of its own to the checksum: the one of gzip and Ethernet.
std::uint32_t checksum(std::string_view bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace store = satchel::store;
  std::string bytes{reinterpret_cast<const char*>(data), size};
  const auto length = store::record_size(bytes);
  demand(!length || *length >= store::kRecordHeader);
  if (!length || bytes.size() < *length) {
    demand(!store::decode(bytes));
    return 0;
  }
  // Many ids cost time and show nothing that few do not.
  std::uint64_t ids = 0;
  for (std::size_t at = store::kRecordHeader; at < *length; at += 12) {
    for (unsigned i = 0; i < 4; ++i)
      ids += std::uint64_t{static_cast<unsigned char>(bytes[at + 8 + i])} << (8 * i);
  }
  if (ids > 5000 && ids <= 1'000'000) return 0;
  const std::uint32_t right = checksum(std::string_view{bytes}.substr(12, *length - 12));
  for (int wrong = 1; wrong >= 0; --wrong) {
    const std::uint32_t value = right ^ static_cast<std::uint32_t>(wrong);
    for (unsigned i = 0; i < 4; ++i) bytes[8 + i] = static_cast<char>(value >> (8 * i) & 0xFFU);
    const auto record = store::decode(bytes);
    if (wrong == 1) demand(!record);
    if (!record) continue;
    const std::string again = store::encode(*record, 4U << 20U);
    const auto twice = store::decode(again);
    // Runs that touch become one, and ids that do not fit into the room are left out.
    demand(twice && twice->sequence == record->sequence && twice->origin == record->origin &&
           twice->epoch == record->epoch && twice->highest_sent == record->highest_sent &&
           twice->alone == record->alone && twice->in_flight.size() <= record->in_flight.size());
  }
  return 0;
}
