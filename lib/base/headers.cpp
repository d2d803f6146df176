// SPDX-License-Identifier: MIT
#include "base/headers.hpp"

#include "base/validate.hpp"

#include <satchel/error.hpp>

// Brings rapidjson, wherever this cereal keeps it: Debian's has it outside of cereal's own folder.
#include <cereal/archives/json.hpp>

namespace satchel {

namespace {

namespace json = rapidjson;

constexpr std::size_t kMaxText = 4U << 20U;

[[noreturn]] void refuse(const std::string& problem) {
  throw InvalidMessage{"read headers", problem, "headers are a JSON object of names and text values"};
}

json::SizeType length(const std::string& text) { return static_cast<json::SizeType>(text.size()); }

std::string text_of(const json::Value& value, const std::string& name) {
  if (value.IsString()) return {value.GetString(), value.GetStringLength()};
  if (!value.IsNumber() && !value.IsBool()) refuse("the value of '" + name + "' is not a text");
  json::StringBuffer buffer;
  json::Writer<json::StringBuffer> writer{buffer};
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

std::string encode_headers(const std::vector<Header>& headers) {
  if (headers.empty()) return {};
  json::StringBuffer buffer;
  json::Writer<json::StringBuffer> writer{buffer};
  writer.StartObject();
  for (const Header& header : headers) {
    writer.Key(header.name.data(), length(header.name));
    writer.String(header.value.data(), length(header.value));
  }
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::vector<Header> decode_headers(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > kMaxText) refuse("longer than 4 MiB");
  json::Document document;
  // Iterative: rapidjson's recursive parser takes its depth from the input.
  document.Parse<json::kParseIterativeFlag | json::kParseValidateEncodingFlag>(text.data(), text.size());
  if (document.HasParseError()) {
    refuse("not JSON, at byte " + std::to_string(document.GetErrorOffset()));
  }
  if (!document.IsObject()) refuse("not a JSON object");
  std::vector<Header> headers;
  headers.reserve(document.MemberCount());
  // Counted: in C++20 comparing the iterators of rapidjson 1.1 is ambiguous, which clang warns about.
  auto member = document.MemberBegin();
  for (auto left = document.MemberCount(); left > 0; --left, ++member) {
    std::string name{member->name.GetString(), member->name.GetStringLength()};
    std::string value = text_of(member->value, name);
    // rapidjson takes the second half of a surrogate pair for a character.
    if (!is_utf8(name) || !is_utf8(value)) refuse("a name or a value is not Unicode");
    headers.push_back({std::move(name), std::move(value)});
  }
  return headers;
}

}  // namespace satchel
