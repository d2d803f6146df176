// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>

#include <string_view>
#include <vector>

/// Which header fields a message may put into a request.
namespace satchel::http {

/// Throws `InvalidMessage` for a name or a value that could begin another header or another request.
void check_field(const Header& header);

/// Fields that speak of the connection, of credentials or of the request itself, and those that the library
/// writes: a message's header of that name stays behind, and an option may not set it.
bool is_reserved_field(std::string_view name);

/// The first header of that name; null: none.
const Header* find_field(const std::vector<Header>& headers, std::string_view name) noexcept;

}  // namespace satchel::http
