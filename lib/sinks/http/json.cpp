// SPDX-License-Identifier: MIT
#include "sinks/http/json.hpp"

#include "base/validate.hpp"

#include <satchel/error.hpp>

// Brings rapidjson, wherever this cereal keeps it: Debian's has it outside of cereal's own folder.
#include <cereal/archives/json.hpp>

namespace satchel::http {

namespace {

namespace json = rapidjson;

// The writer of its own would turn a number that was kept as text into a string.
class VerbatimWriter : public json::Writer<json::StringBuffer> {
 public:
  using json::Writer<json::StringBuffer>::Writer;
  bool RawNumber(const char* text, json::SizeType size, bool /*copy*/) {
    return RawValue(text, size, json::kNumberType);
  }
};

void append_string(std::string& to, std::string_view value) {
  json::StringBuffer buffer;
  json::Writer<json::StringBuffer> writer{buffer};
  writer.String(value.data(), static_cast<json::SizeType>(value.size()));
  to.append(buffer.GetString(), buffer.GetSize());
}

}  // namespace

std::optional<std::string> compact_json(std::string_view text) {
  // The reader would take a NUL for the end.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  json::StringBuffer buffer;
  VerbatimWriter writer{buffer};
  json::MemoryStream bytes{text.data(), text.size()};
  json::EncodedInputStream<json::UTF8<>, json::MemoryStream> input{bytes};
  json::Reader reader;
  // Iterative: the recursive parser takes its depth from the input.
  constexpr unsigned kFlags =
      json::kParseIterativeFlag | json::kParseValidateEncodingFlag | json::kParseNumbersAsStringsFlag;
  if (reader.Parse<kFlags>(input, writer).IsError()) return std::nullopt;
  return std::string{buffer.GetString(), buffer.GetSize()};
}

void JsonObject::name(std::string_view name) {
  if (written_.size() > 1) written_ += ',';
  append_string(written_, name);
  written_ += ':';
}

void JsonObject::text(std::string_view name, std::string_view value) {
  if (!is_utf8(value)) {
    throw InvalidMessage{"send", "'" + std::string{name} + "' is not UTF-8",
                         "JSON carries UTF-8 only: send it with a body mode that does not use JSON"};
  }
  this->name(name);
  append_string(written_, value);
}

void JsonObject::raw(std::string_view name, std::string_view value) {
  this->name(name);
  written_ += value;
}

std::string JsonObject::finish() {
  written_ += '}';
  return std::move(written_);
}

}  // namespace satchel::http
