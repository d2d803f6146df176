// SPDX-License-Identifier: MIT
//
// Headers as a row may hold them: either InvalidMessage, or headers that survive another round trip
// unchanged.
#include "base/headers.hpp"

#include <satchel/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  std::vector<satchel::Header> once;
  try {
    once = satchel::decode_headers(text);
  } catch (const satchel::InvalidMessage& error) {
    if (error.problem().empty()) std::abort();
    return 0;
  }
  const std::vector<satchel::Header> twice = satchel::decode_headers(satchel::encode_headers(once));
  if (twice.size() != once.size()) std::abort();
  for (std::size_t i = 0; i < once.size(); ++i) {
    if (twice[i].name != once[i].name || twice[i].value != once[i].value) std::abort();
  }
  return 0;
}
