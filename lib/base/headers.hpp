// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace satchel {

/// Headers as the JSON object that `satchel_message.headers` holds: names and text values, in order. Empty
/// for none.
std::string encode_headers(const std::vector<Header>& headers);

/// The reverse, for text of any origin: throws `InvalidMessage` when it is not a flat object of text, numbers
/// or booleans, or longer than 4 MiB. Numbers and booleans become their JSON text.
std::vector<Header> decode_headers(std::string_view json);

}  // namespace satchel
