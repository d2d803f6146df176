// SPDX-License-Identifier: MIT
//
// Reads what cereal's portable binary archive writes, from bytes of any origin. cereal's own reader believes
// a size tag and makes room for it at once, so that twelve bytes can ask for gigabytes; this one compares it
// with the bytes that are left.
#pragma once

#include <satchel/detail/json_archive.hpp>

#include <cereal/archives/portable_binary.hpp>
#include <cereal/cereal.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#pragma GCC visibility push(default)

namespace satchel::detail {

/// Throws `InvalidMessage` for input that ends too early, is too deep or promises more than it has.
class BinaryInput : public cereal::InputArchive<BinaryInput, cereal::AllowEmptyClassElision> {
 public:
  BinaryInput(std::string_view bytes, std::size_t max_depth);

  /// Copies `size` bytes that are values of `width` bytes each, in this machine's byte order.
  void read(void* target, std::size_t size, std::size_t width);

  /// A number of elements; each takes at least a byte of what is left.
  std::uint64_t size();

  void open_node();
  void close_node() noexcept { --depth_; }

  /// Throws unless everything was read.
  void finish() const;

 private:
  std::string_view rest_;
  const std::size_t max_depth_;
  std::size_t depth_ = 0;
  bool swap_ = false;
};

template <class T>
requires(!is_wrapper<T> && std::is_class_v<T>) void prologue(BinaryInput& archive, const T& /*value*/) {
  archive.open_node();
}
template <class T>
requires(!is_wrapper<T> && std::is_class_v<T>) void epilogue(BinaryInput& archive, const T& /*value*/) {
  archive.close_node();
}

template <class T>
void load(BinaryInput& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}

template <class T>
void load(BinaryInput& archive, cereal::SizeTag<T>& tag) {
  tag.size = static_cast<std::decay_t<T>>(archive.size());
}

template <class T>
void load(BinaryInput& archive, cereal::BinaryData<T>& data) {
  using Value = std::remove_pointer_t<T>;
  archive.read(data.data, static_cast<std::size_t>(data.size), sizeof(Value));
}

template <class T>
requires std::is_arithmetic_v<T>
void load(BinaryInput& archive, T& number) {
  if constexpr (std::is_same_v<T, bool>) {
    // Any byte but 0 and 1 in a bool is undefined behaviour.
    std::uint8_t byte = 0;
    archive.read(&byte, 1, 1);
    number = byte != 0;
  } else {
    archive.read(&number, sizeof(T), sizeof(T));
  }
}

}  // namespace satchel::detail

// Only this direction: the way back is cereal's own.
namespace cereal::traits::detail {
template <>
struct get_output_from_input<satchel::detail::BinaryInput> {
  using type = PortableBinaryOutputArchive;
};
}  // namespace cereal::traits::detail

#pragma GCC visibility pop
