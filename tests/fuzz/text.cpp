// SPDX-License-Identifier: MIT
//
// Message ids, base64 and times of any origin. The first byte chooses.
#include "base/text.hpp"
#include "sinks/http/text.hpp"

#include <satchel/message.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

void demand(bool condition) {
  if (!condition) std::abort();
}

void read_id(std::string_view text) {
  const auto id = satchel::MessageId::parse(text);
  if (id) demand(id->row > 0 && id->to_string() == text);
}

void read_base64(std::string_view text) {
  const auto bytes = satchel::http::base64_decode(text);
  if (!bytes) return;
  demand(satchel::http::base64_decode(satchel::base64(*bytes)) == bytes);
}

void write_time(std::string_view text) {
  std::int64_t milliseconds = 0;
  if (text.size() < sizeof milliseconds) return;
  std::memcpy(&milliseconds, text.data(), sizeof milliseconds);
  const std::string time = satchel::rfc3339(satchel::WallTime{std::chrono::milliseconds{milliseconds}});
  demand(time.size() >= 24 && time.back() == 'Z');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  if (data[0] % 3 == 0) read_id(text);
  if (data[0] % 3 == 1) read_base64(text);
  if (data[0] % 3 == 2) write_time(text);
  return 0;
}
