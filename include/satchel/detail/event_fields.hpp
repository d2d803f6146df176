// SPDX-License-Identifier: MIT
//
// The fields of an event by name, for the templates of topics and keys: found by letting the event serialize
// itself.
#pragma once

#include <satchel/detail/json_archive.hpp>

#include <cereal/cereal.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::detail {

/// Collects every named number, truth value and text; a field within a field is called `outer.inner`.
class EventFields : public cereal::OutputArchive<EventFields>, public cereal::traits::TextArchive {
 public:
  EventFields() : OutputArchive{this} {}

  /// Names what comes next.
  void name(std::string_view text) { name_ = text; }

  void value(bool flag);
  void value(std::int64_t number);
  void value(std::uint64_t number);
  void value(float number);
  void value(double number);
  void value(std::string_view text);

  void open_node();
  void close_node();

  using Field = std::pair<std::string, std::string>;
  const std::vector<Field>& all() const noexcept { return fields_; }

 private:
  void add(std::string text);

  std::string prefix_;                 // of the innermost open node, with its dot
  std::vector<std::size_t> prefixes_;  // how long it was before each open node
  std::size_t unnamed_ = 0;            // open nodes without a name, and what is in them
  std::string name_;                   // empty: what comes next has no name
  std::vector<Field> fields_;
};

template <class T>
concept FieldNode =
    !is_wrapper<T> && !is_scalar<T> &&
    !cereal::traits::has_minimal_base_class_serialization<T, cereal::traits::has_minimal_output_serialization,
                                                          EventFields>::value &&
    !cereal::traits::has_minimal_output_serialization<T, EventFields>::value;

template <FieldNode T>
void prologue(EventFields& archive, const T& /*value*/) {
  archive.open_node();
}
template <FieldNode T>
void epilogue(EventFields& archive, const T& /*value*/) {
  archive.close_node();
}

template <class T>
void save(EventFields& archive, const cereal::NameValuePair<T>& pair) {
  archive.name(pair.name);
  archive(pair.value);
}

template <class T>
void save(EventFields& /*archive*/, const cereal::SizeTag<T>& /*tag*/) {}

template <class T>
requires std::is_arithmetic_v<T>
void save(EventFields& archive, const T& number) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, float>) {
    archive.value(number);
  } else if constexpr (std::is_floating_point_v<T>) {
    archive.value(static_cast<double>(number));
  } else if constexpr (std::is_signed_v<T>) {
    archive.value(static_cast<std::int64_t>(number));
  } else {
    archive.value(static_cast<std::uint64_t>(number));
  }
}

inline void save(EventFields& /*archive*/, const std::nullptr_t& /*null*/) {}

template <class Traits, class Allocator>
void save(EventFields& archive, const std::basic_string<char, Traits, Allocator>& text) {
  archive.value(std::string_view{text});
}

}  // namespace satchel::detail

#pragma GCC visibility pop
