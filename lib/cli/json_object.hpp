// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

// Brings rapidjson, wherever this cereal keeps it.
#include <cereal/archives/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::cli {

namespace json = rapidjson;

bool is_utf8(std::string_view text);

/// Builds one object. Texts that are no UTF-8 are written as they can be seen.
class Object {
 public:
  Object() { writer_.StartObject(); }

  void text(std::string_view name, std::string_view value) {
    key(name);
    string(value);
  }
  void some_text(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void number(std::string_view name, std::int64_t value) {
    key(name);
    writer_.Int64(value);
  }
  void count(std::string_view name, std::uint64_t value) {
    key(name);
    writer_.Uint64(value);
  }
  void real(std::string_view name, double value) {
    key(name);
    writer_.Double(value);
  }
  void truth(std::string_view name, bool value) {
    key(name);
    writer_.Bool(value);
  }
  void time(std::string_view name, const std::optional<WallTime>& value) {
    if (value) number(name, value->time_since_epoch().count());
  }
  void span(std::string_view name, const std::optional<std::chrono::milliseconds>& value) {
    if (value) number(name, value->count());
  }
  template <class Fill>
  void object(std::string_view name, Fill fill) {
    key(name);
    writer_.StartObject();
    fill();
    writer_.EndObject();
  }
  template <class Items, class Fill>
  void list(std::string_view name, const Items& items, Fill fill) {
    key(name);
    writer_.StartArray();
    for (const auto& item : items) {
      writer_.StartObject();
      fill(item);
      writer_.EndObject();
    }
    writer_.EndArray();
  }
  std::string done();

 private:
  void string(std::string_view value);
  void key(std::string_view name) { writer_.Key(name.data(), static_cast<json::SizeType>(name.size())); }

  json::StringBuffer buffer_;
  json::Writer<json::StringBuffer> writer_{buffer_};
};

}  // namespace satchel::cli
