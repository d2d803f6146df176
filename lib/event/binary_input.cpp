// SPDX-License-Identifier: MIT
#include <satchel/detail/binary_archive.hpp>
#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

namespace satchel::detail {

namespace {

[[noreturn]] void refuse(std::string problem) {
  throw InvalidMessage{"decode", std::move(problem), "the payload does not fit the event"};
}

}  // namespace

BinaryInput::BinaryInput(std::string_view bytes, std::size_t max_depth)
    : InputArchive{this}, rest_{bytes}, max_depth_{max_depth} {
  std::uint8_t little = 0;
  read(&little, 1, 1);
  if (little > 1) refuse("not cereal's portable binary format");
  swap_ = (little == 1) != (std::endian::native == std::endian::little);
}

void BinaryInput::read(void* target, std::size_t size, std::size_t width) {
  if (size > rest_.size()) refuse(fmt::format("{} bytes where {} are left", size, rest_.size()));
  if (size == 0) return;
  std::memcpy(target, rest_.data(), size);
  rest_.remove_prefix(size);
  if (!swap_ || width < 2) return;
  auto* byte = static_cast<unsigned char*>(target);
  for (std::size_t at = 0; at + width <= size; at += width) std::reverse(byte + at, byte + at + width);
}

std::uint64_t BinaryInput::size() {
  std::uint64_t count = 0;
  read(&count, sizeof count, sizeof count);
  if (count > rest_.size()) refuse(fmt::format("{} elements in {} bytes", count, rest_.size()));
  return count;
}

void BinaryInput::open_node() {
  if (depth_ == max_depth_) refuse(fmt::format("nested deeper than {}", max_depth_));
  ++depth_;
}

void BinaryInput::finish() const {
  if (!rest_.empty()) refuse(fmt::format("{} bytes are left over", rest_.size()));
}

}  // namespace satchel::detail
