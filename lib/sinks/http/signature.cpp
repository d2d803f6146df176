// SPDX-License-Identifier: MIT
#include "sinks/http/signature.hpp"

#include "sinks/http/text.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace satchel::http {

namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac_sha256(std::string_view key, std::string_view content) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const bool done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(content),
                         content.size(), digest.data(), &size) != nullptr;
  if (!done) throw Error{"sign", "libcrypto cannot compute HMAC-SHA256", "check its configuration"};
  return {digest.begin(), digest.begin() + size};
}

}  // namespace

std::string signing_key(std::string_view secret) {
  constexpr std::string_view kPrefix = "whsec_";
  constexpr std::size_t kLeast = 24;
  constexpr std::size_t kMost = 64;
  const bool prefixed = secret.starts_with(kPrefix);
  const auto key = prefixed ? base64_decode(secret.substr(kPrefix.size())) : std::nullopt;
  if (!key || key->size() < kLeast || key->size() > kMost) {
    throw InvalidOption{"HttpSink", "a signature secret is not whsec_ and 24 to 64 bytes in base64",
                        "make one with: echo whsec_$(openssl rand -base64 32)"};
  }
  return *key;
}

std::string webhook_signature(const std::vector<std::string>& keys, std::string_view id,
                              std::int64_t timestamp, std::string_view body) {
  const std::string signed_content = fmt::format("{}.{}.{}", id, timestamp, body);
  std::string signature;
  for (const std::string& key : keys) {
    if (!signature.empty()) signature += ' ';
    signature += "v1," + base64(hmac_sha256(key, signed_content));
  }
  return signature;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw Error{"send", "libcrypto cannot compute SHA-256", "check its configuration"};
  std::string hex;
  for (unsigned index = 0; index < size; ++index) hex += fmt::format("{:02x}", digest.at(index));
  return hex;
}

}  // namespace satchel::http
