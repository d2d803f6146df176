// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace satchel::http {

/// The JSON text without its white space, so that it fits on one line; numbers keep their spelling. Nothing
/// when the text is not JSON or has a number that no double holds.
std::optional<std::string> compact_json(std::string_view text);

/// Writes one flat JSON object, name by name.
class JsonObject {
 public:
  /// Throws `InvalidMessage` when `value` is not UTF-8.
  void text(std::string_view name, std::string_view value);
  /// `value` is JSON already.
  void raw(std::string_view name, std::string_view value);
  /// The object; nothing may be added afterwards.
  std::string finish();

 private:
  void name(std::string_view name);
  std::string written_{"{"};
};

}  // namespace satchel::http
