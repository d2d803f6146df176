// SPDX-License-Identifier: MIT
#pragma once

#include "base/text.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace satchel::http {

/// RFC 3986 percent-encoding of everything but unreserved characters and slashes.
std::string escape_path(std::string_view text);

/// The same, but for all that a path may have as it is (RFC 3986 section 3.3): to a server `:` and `%3A` need
/// not be one.
std::string escape_base_path(std::string_view text);

/// Percent-encoding of CloudEvents attribute values in HTTP headers: space, `"`, `%` and all that is not
/// printable ASCII.
std::string escape_header(std::string_view text);

/// Strict, with padding; nothing when the text is not base64.
std::optional<std::string> base64_decode(std::string_view text);

/// ASCII only; other bytes stay.
std::string lower(std::string_view text);

/// For names of headers.
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// RFC 9110 section 5.6.2, 1 to 128 bytes.
bool is_token(std::string_view text) noexcept;

/// Fit for a header's value: no control character but the tab.
bool is_field_value(std::string_view text) noexcept;

}  // namespace satchel::http
