// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace support {

using satchel::Delivery;

inline Delivery delivery(std::uint64_t claim, std::string topic = "t", std::string payload = "p") {
  Delivery result;
  result.claim = claim;
  result.id.identity.fill(0xAB);
  result.id.row = static_cast<std::int64_t>(claim);
  result.topic = std::move(topic);
  result.payload = std::move(payload);
  return result;
}

inline std::vector<Delivery> deliveries(std::uint64_t first, std::size_t count,
                                        const std::string& topic = "t", const std::string& payload = "p") {
  std::vector<Delivery> batch;
  for (std::size_t i = 0; i < count; ++i) batch.push_back(delivery(first + i, topic, payload));
  return batch;
}

}  // namespace support
