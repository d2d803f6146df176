// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/retry_policy.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace satchel::store {

/// The policy as `satchel_message.retry` holds it: `n5 b1000:2:300000 a86400000`, what is unset left out.
std::string encode_retry(const RetryPolicy& policy);

/// The reverse, for text of any origin. A part that cannot be read or is out of its range counts as unset;
/// nothing when nothing is left.
std::optional<RetryPolicy> decode_retry(std::string_view text);

}  // namespace satchel::store
