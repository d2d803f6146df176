// SPDX-License-Identifier: MIT
#include "sinks/http/text.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace satchel::http {

namespace {

bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower_case(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

template <typename Keep>
std::string percent_encode(std::string_view text, Keep keep) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (keep(c)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4U];
    encoded += kDigits[byte & 15U];
  }
  return encoded;
}

std::string percent_encode_but(std::string_view text, std::string_view kept) {
  return percent_encode(text,
                        [&](char c) { return is_alphanumeric(c) || kept.find(c) != std::string_view::npos; });
}

}  // namespace

std::string escape_path(std::string_view text) { return percent_encode_but(text, "-._~/"); }

std::string escape_base_path(std::string_view text) { return percent_encode_but(text, "-._~/:@!$&'()*+,;="); }

std::string escape_header(std::string_view text) {
  return percent_encode(text, [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '%'; });
}

std::optional<std::string> base64_decode(std::string_view text) {
  const std::size_t padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  const bool well_formed = !text.empty() && text.size() % 4 == 0 && padding <= 2 &&
                           std::all_of(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding),
                                       [](char c) { return is_alphanumeric(c) || c == '+' || c == '/'; });
  if (!well_formed) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

std::string lower(std::string_view text) {
  std::string lowered{text};
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower_case);
  return lowered;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower_case(x) == lower_case(y); });
}

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  constexpr std::size_t kMaxName = 128;
  return !text.empty() && text.size() <= kMaxName && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || kMarks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) { return c != '\t' && is_control(c); });
}

}  // namespace satchel::http
