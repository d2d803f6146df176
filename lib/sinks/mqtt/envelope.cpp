// SPDX-License-Identifier: MIT
#include "sinks/mqtt/packet.hpp"

#include "base/text.hpp"

#include "base/headers.hpp"
#include "base/validate.hpp"

// Brings rapidjson, wherever this cereal keeps it.
#include <cereal/archives/json.hpp>

#include <algorithm>

namespace satchel::mqtt {
namespace {

namespace json = rapidjson;
using Writer = json::Writer<json::StringBuffer>;

void add(Writer& writer, std::string_view name, std::string_view value) {
  writer.Key(name.data(), static_cast<json::SizeType>(name.size()));
  writer.String(value.data(), static_cast<json::SizeType>(value.size()));
}

/// `application/json` and `<anything>+json`, parameters aside.
bool is_json_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return type == "application/json" || (type.size() > 5 && type.ends_with("+json"));
}

bool is_json(std::string_view text) {
  // The reader would take a NUL for the end.
  if (text.find('\0') != std::string_view::npos) return false;
  json::Reader reader;
  json::MemoryStream stream{text.data(), text.size()};
  json::BaseReaderHandler<> nothing;
  // Iterative: the recursive parser takes its depth from the input.
  return !reader.Parse<json::kParseIterativeFlag | json::kParseValidateEncodingFlag>(stream, nothing)
              .IsError();
}

void add_data(Writer& writer, const Delivery& delivery) {
  const std::string& payload = delivery.payload;
  const bool json_type = is_json_type(delivery.content_type);
  if (json_type && is_json(payload)) {
    writer.Key("data");
    writer.RawValue(payload.data(), payload.size(), json::kObjectType);
  } else if (!json_type && is_utf8(payload)) {
    add(writer, "data", payload);
  } else {
    add(writer, "data_base64", base64(payload));
  }
}

}  // namespace

std::string cloud_event(const Delivery& delivery, std::string_view topic) {
  json::StringBuffer buffer;
  Writer writer{buffer};
  const std::string id = delivery.id.to_string();
  writer.StartObject();
  add(writer, "specversion", "1.0");
  add(writer, "id", id);
  add(writer, "source", "urn:satchel:" + id.substr(0, id.find('-')));
  add(writer, "type", "satchel.message");
  add(writer, "subject", topic);
  if (delivery.created) add(writer, "time", rfc3339(*delivery.created));
  if (!delivery.content_type.empty()) add(writer, "datacontenttype", delivery.content_type);
  if (!delivery.key.empty()) add(writer, "partitionkey", delivery.key);
  if (delivery.sequence) add(writer, "satchelsequence", std::to_string(*delivery.sequence));
  if (!delivery.headers.empty()) add(writer, "satchelheaders", encode_headers(delivery.headers));
  add_data(writer, delivery);
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace satchel::mqtt
