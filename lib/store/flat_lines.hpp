// SPDX-License-Identifier: MIT
//
// Texts of lines with fields between tabs, which programs of other versions read, too: they pass over kinds
// of lines and fields at the end that they do not know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace satchel::store {

inline constexpr char kField = '\t';

/// At most `limit` bytes of a text, on one line and in one field.
std::string flat(const std::string& text, std::size_t limit);

/// Takes the text up to `end` away, and `end` with it.
std::string_view cut(std::string_view& text, char end);

/// The number at the beginning of a text; 0: there is none.
std::int64_t number(std::string_view text);

}  // namespace satchel::store
