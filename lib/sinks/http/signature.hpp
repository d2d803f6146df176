// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::http {

/// The key in a `whsec_` secret. Throws `InvalidOption`, without the secret, when it is none.
std::string signing_key(std::string_view secret);

/// Value of `webhook-signature` by Standard Webhooks: `v1,<base64 of HMAC-SHA256>` over `id.timestamp.body`,
/// one for each key, separated by spaces.
std::string webhook_signature(const std::vector<std::string>& keys, std::string_view id,
                              std::int64_t timestamp, std::string_view body);

/// SHA-256 in hex.
std::string sha256_hex(std::string_view bytes);

}  // namespace satchel::http
