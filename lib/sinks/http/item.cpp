// SPDX-License-Identifier: MIT
#include "sinks/http/item.hpp"

#include "base/validate.hpp"
#include "sinks/http/fields.hpp"
#include "sinks/http/json.hpp"
#include "sinks/http/text.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

namespace satchel::http {

namespace {

constexpr std::size_t kIdentityDigits = 32;

std::string media_type(std::string_view content_type) {
  std::string type = lower(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

// A message without a content type counts as JSON when it is JSON, which is what CloudEvents says too.
bool may_be_json(std::string_view content_type) {
  const std::string type = media_type(content_type);
  return type.empty() || type == "application/json" || type.ends_with("+json");
}

struct PayloadNames {
  std::string_view json;
  std::string_view text;
  std::string_view base64;
};

void write_payload(JsonObject& object, const Delivery& delivery, const PayloadNames& names) {
  if (may_be_json(delivery.content_type)) {
    if (const auto compact = compact_json(delivery.payload)) {
      object.raw(names.json, *compact);
      return;
    }
  }
  const bool text = media_type(delivery.content_type).starts_with("text/") && is_utf8(delivery.payload);
  if (text)
    object.text(names.text, delivery.payload);
  else
    object.text(names.base64, base64(delivery.payload));
}

std::string envelope(const Delivery& delivery) {
  JsonObject object;
  object.text("id", delivery.id.to_string());
  object.text("topic", delivery.topic);
  if (!delivery.key.empty()) object.text("key", delivery.key);
  if (delivery.created) object.text("created", rfc3339(*delivery.created));
  if (delivery.sequence) object.raw("sequence", std::to_string(*delivery.sequence));
  if (!delivery.content_type.empty()) object.text("content_type", delivery.content_type);
  if (!delivery.headers.empty()) {
    JsonObject headers;
    for (const Header& header : delivery.headers) {
      if (!is_reserved_field(header.name)) headers.text(header.name, header.value);
    }
    object.raw("headers", headers.finish());
  }
  write_payload(object, delivery, {"payload", "payload_text", "payload_base64"});
  return object.finish();
}

// CloudEvents 1.0 section "Naming Conventions": lower-case letters and digits only.
std::string extension_name(std::string_view header) {
  std::string name = lower(header);
  if (name.starts_with("ce-")) name.erase(0, 3);
  std::erase_if(name, [](char c) { return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')); });
  return name;
}

void write_extensions(JsonObject& object, const Delivery& delivery) {
  std::set<std::string> taken{"id",   "source", "specversion", "type",         "datacontenttype", "subject",
                              "time", "data",   "database64",  "partitionkey", "satchelsequence"};
  for (const Header& header : delivery.headers) {
    if (is_reserved_field(header.name)) continue;
    std::string name = extension_name(header.name);
    if (name.empty() || !taken.insert(name).second) continue;
    object.text(name, header.value);
  }
}

std::string cloud_event(const Delivery& delivery, const std::string& source, const std::string& type) {
  JsonObject object;
  object.text("specversion", "1.0");
  object.text("id", delivery.id.to_string());
  object.text("source", source.empty() ? default_source(delivery.id) : source);
  object.text("type", event_type_of(delivery, type));
  object.text("subject", delivery.topic);
  if (delivery.created) object.text("time", rfc3339(*delivery.created));
  if (!delivery.key.empty()) object.text("partitionkey", delivery.key);
  // A text: the integers of CloudEvents have 32 bits.
  if (delivery.sequence) object.text("satchelsequence", std::to_string(*delivery.sequence));
  if (!delivery.content_type.empty()) object.text("datacontenttype", delivery.content_type);
  write_extensions(object, delivery);
  write_payload(object, delivery, {"data", "data", "data_base64"});
  return object.finish();
}

std::string bare(const Delivery& delivery) {
  auto compact = compact_json(delivery.payload);
  if (!compact) {
    throw InvalidMessage{"send", "the payload is not JSON",
                         "the sink's items are bare payloads, which have to be"};
  }
  return std::move(*compact);
}

void check_delivery(const Delivery& delivery) {
  for (const Header& header : delivery.headers) check_field(header);
  if (!is_field_value(delivery.content_type)) {
    throw InvalidMessage{"send", "the content type has a control character", "leave out line breaks and NUL"};
  }
}

}  // namespace

bool carries_many(HttpBody body) noexcept {
  return body == HttpBody::cloudevents_batch || body == HttpBody::json_array || body == HttpBody::ndjson;
}

std::string default_source(const MessageId& id) {
  return "/satchel/" + id.to_string().substr(0, kIdentityDigits);
}

std::string event_type_of(const Delivery& delivery, const std::string& fallback) {
  const Header* own = find_field(delivery.headers, "ce-type");
  return own != nullptr && !own->value.empty() ? own->value : fallback;
}

ItemEncoder::ItemEncoder(const HttpOptions& options)
    : body_{options.body},
      url_{options.url},
      item_{options.batch.item},
      event_source_{options.event_source},
      event_type_{options.event_type} {}

Item ItemEncoder::encode(Delivery delivery) const {
  check_delivery(delivery);
  Item item;
  item.url = url_.expand(delivery.topic);
  switch (body_) {
    case HttpBody::raw:
    case HttpBody::cloudevents_binary:
      item.encoded = std::move(delivery.payload);
      break;
    case HttpBody::cloudevents_structured:
    case HttpBody::cloudevents_batch:
      item.encoded = cloud_event(delivery, event_source_, event_type_);
      break;
    case HttpBody::json_array:
    case HttpBody::ndjson:
      item.encoded = item_ == HttpItem::payload ? bare(delivery) : envelope(delivery);
      break;
  }
  delivery.payload.clear();
  delivery.payload.shrink_to_fit();
  item.delivery = std::move(delivery);
  return item;
}

}  // namespace satchel::http
