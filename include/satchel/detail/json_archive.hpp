// SPDX-License-Identifier: MIT
//
// cereal archives for JSON. Unlike cereal's own they write the outermost object without a wrapper and without
// spaces, refuse what is not JSON (NaN, text that is not UTF-8), and on the way in keep a NUL within a text,
// refuse a number that does not fit its field, and hold to limits. No JSON library shows in this header.
#pragma once

#include <cereal/cereal.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace satchel::detail {

/// Writes one JSON value of nested nodes. A node is an object until `array` is called for it; children
/// without a name are called value0, value1, as cereal does. Throws `InvalidMessage`.
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  void open_node();
  void close_node();
  /// Makes the open node an array.
  void array();
  /// Names the next child.
  void name(const char* text);

  void value(std::nullptr_t);
  void value(bool flag);
  void value(std::int64_t number);
  void value(std::uint64_t number);
  void value(float number);
  void value(double number);
  void value(std::string_view text);

  std::string take();

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// Reads one JSON value of any origin. Throws `InvalidMessage` for everything that is not as it is asked for.
class JsonReader {
 public:
  JsonReader(std::string_view text, std::size_t max_depth);
  ~JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  void open_node();
  void close_node();
  /// Names the next child, where the order of the document is not to be trusted.
  void name(const char* text);
  /// Elements of the open node, which has to be an array.
  std::size_t size();

  void null();
  bool boolean();
  std::int64_t signed_number(std::int64_t low, std::int64_t high);
  std::uint64_t unsigned_number(std::uint64_t high);
  double real(double high);
  std::string text();

 private:
  class State;
  std::unique_ptr<State> state_;
};

class JsonOutput : public cereal::OutputArchive<JsonOutput>, public cereal::traits::TextArchive {
 public:
  explicit JsonOutput(JsonWriter& writer) : OutputArchive{this}, json{writer} {}
  JsonWriter& json;
};

class JsonInput : public cereal::InputArchive<JsonInput>, public cereal::traits::TextArchive {
 public:
  explicit JsonInput(JsonReader& reader) : InputArchive{this}, json{reader} {}
  JsonReader& json;
};

// ---- what is a node ----

/// Things that cereal hands to an archive and that are not values of their own.
template <class>
inline constexpr bool is_wrapper = false;
template <class T>
inline constexpr bool is_wrapper<cereal::NameValuePair<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::SizeTag<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::BinaryData<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::DeferredData<T>> = true;

template <class T>
inline constexpr bool is_scalar =
    std::is_arithmetic_v<T> || std::is_null_pointer_v<T> || std::is_same_v<T, std::string>;

template <class T>
concept OutputNode =
    !is_wrapper<T> && !is_scalar<T> &&
    !cereal::traits::has_minimal_base_class_serialization<T, cereal::traits::has_minimal_output_serialization,
                                                          JsonOutput>::value &&
    !cereal::traits::has_minimal_output_serialization<T, JsonOutput>::value;

template <class T>
concept InputNode =
    !is_wrapper<T> && !is_scalar<T> &&
    !cereal::traits::has_minimal_base_class_serialization<T, cereal::traits::has_minimal_input_serialization,
                                                          JsonInput>::value &&
    !cereal::traits::has_minimal_input_serialization<T, JsonInput>::value;

// cereal calls these around every value that it hands to an archive; argument-dependent lookup finds them.

template <OutputNode T>
void prologue(JsonOutput& archive, const T& /*value*/) {
  archive.json.open_node();
}
template <OutputNode T>
void epilogue(JsonOutput& archive, const T& /*value*/) {
  archive.json.close_node();
}
template <InputNode T>
void prologue(JsonInput& archive, const T& /*value*/) {
  archive.json.open_node();
}
template <InputNode T>
void epilogue(JsonInput& archive, const T& /*value*/) {
  archive.json.close_node();
}

// ---- values out ----

template <class T>
void save(JsonOutput& archive, const cereal::NameValuePair<T>& pair) {
  archive.json.name(pair.name);
  archive(pair.value);
}

template <class T>
void save(JsonOutput& archive, const cereal::SizeTag<T>& /*tag*/) {
  archive.json.array();
}

template <class T>
requires std::is_arithmetic_v<T>
void save(JsonOutput& archive, const T& number) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, float>) {
    archive.json.value(number);
  } else if constexpr (std::is_floating_point_v<T>) {
    archive.json.value(static_cast<double>(number));
  } else if constexpr (std::is_signed_v<T>) {
    archive.json.value(static_cast<std::int64_t>(number));
  } else {
    archive.json.value(static_cast<std::uint64_t>(number));
  }
}

inline void save(JsonOutput& archive, const std::nullptr_t& /*null*/) { archive.json.value(nullptr); }

template <class Traits, class Allocator>
void save(JsonOutput& archive, const std::basic_string<char, Traits, Allocator>& text) {
  archive.json.value(std::string_view{text});
}

// ---- values in ----

template <class T>
void load(JsonInput& archive, cereal::NameValuePair<T>& pair) {
  archive.json.name(pair.name);
  archive(pair.value);
}

template <class T>
void load(JsonInput& archive, cereal::SizeTag<T>& tag) {
  tag.size = static_cast<std::decay_t<T>>(archive.json.size());
}

template <class T>
requires std::is_arithmetic_v<T>
void load(JsonInput& archive, T& number) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_same_v<T, bool>) {
    number = archive.json.boolean();
  } else if constexpr (std::is_floating_point_v<T>) {
    constexpr auto kHigh =
        sizeof(T) < sizeof(double) ? static_cast<double>(Limits::max()) : std::numeric_limits<double>::max();
    number = static_cast<T>(archive.json.real(kHigh));
  } else if constexpr (std::is_signed_v<T>) {
    number = static_cast<T>(archive.json.signed_number(Limits::min(), Limits::max()));
  } else {
    number = static_cast<T>(archive.json.unsigned_number(Limits::max()));
  }
}

inline void load(JsonInput& archive, std::nullptr_t& /*null*/) { archive.json.null(); }

template <class Traits, class Allocator>
void load(JsonInput& archive, std::basic_string<char, Traits, Allocator>& text) {
  const std::string value = archive.json.text();
  text.assign(value.data(), value.size());
}

}  // namespace satchel::detail

CEREAL_SETUP_ARCHIVE_TRAITS(satchel::detail::JsonInput, satchel::detail::JsonOutput)

#pragma GCC visibility pop
