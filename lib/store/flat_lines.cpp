// SPDX-License-Identifier: MIT
#include "store/flat_lines.hpp"

#include "store/settle.hpp"

#include <algorithm>
#include <charconv>

namespace satchel::store {

std::string flat(const std::string& text, std::size_t limit) {
  std::string line = shortened(text, limit);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

std::string_view cut(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return piece;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace satchel::store
