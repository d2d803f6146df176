// SPDX-License-Identifier: MIT
#include "json_object.hpp"

#include "text.hpp"

namespace satchel::cli {

bool is_utf8(std::string_view text) {
  json::StringBuffer sink;
  json::Writer<json::StringBuffer, json::UTF8<>, json::UTF8<>, json::CrtAllocator,
               json::kWriteValidateEncodingFlag>
      writer{sink};
  return writer.String(text.data(), static_cast<json::SizeType>(text.size()));
}

void Object::string(std::string_view value) {
  const std::string safe = is_utf8(value) ? std::string{value} : visible(value);
  writer_.String(safe.data(), static_cast<json::SizeType>(safe.size()));
}

std::string Object::done() {
  writer_.EndObject();
  return {buffer_.GetString(), buffer_.GetSize()};
}

}  // namespace satchel::cli
