// SPDX-License-Identifier: MIT
//
// How an event becomes the payload of a message, and how a receiver gets it back. For structs with a
// `serialize` function as cereal defines it; include the cereal/types/ header of each container they use.
#pragma once

#include <satchel/detail/binary_archive.hpp>
#include <satchel/detail/json_archive.hpp>
#include <satchel/error.hpp>

#include <cereal/types/string.hpp>

#include <cstddef>
#include <exception>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace satchel {

/// What a payload may demand of a receiver.
struct DecodeLimits {
  /// Of the payload. Decoding takes up to some 20 times as much memory, and more with a vector of large
  /// elements: it gets room for all of them before the first is read, and may announce as many as there are
  /// bytes, so that it is up to `max_bytes` times the size of one. Lower it for such a struct.
  std::size_t max_bytes = 1U << 20U;
  std::size_t max_depth = 32;  ///< of structs and containers within one another
};

/// A JSON object with the struct's fields, as compact as it gets; read by any language.
struct JsonCodec {
  static constexpr std::string_view content_type = "application/json";  ///< of its messages

  /// Throws `InvalidMessage` for what JSON cannot say: NaN, infinity, text that is not UTF-8.
  template <class T>
  static std::string encode(const T& value) {
    detail::JsonWriter writer;
    detail::JsonOutput archive{writer};
    archive(value);
    return writer.take();
  }

  /// Fields are found by name; fields that the struct does not have are skipped, so that a sender may be
  /// ahead of a receiver. Throws `InvalidMessage` when one is missing or does not fit its type.
  template <class T>
  static T decode(std::string_view payload, const DecodeLimits& limits) {
    detail::JsonReader reader{payload, limits.max_depth};
    detail::JsonInput archive{reader};
    T value{};
    archive(value);
    return value;
  }
};

/// cereal's portable binary archive, little-endian: short and exact, for receivers with the same struct.
struct BinaryCodec {
  static constexpr std::string_view content_type =
      "application/x-cereal-portable-binary";  ///< of its messages

  /// All fields in the order in which `serialize` names them.
  template <class T>
  static std::string encode(const T& value) {
    std::ostringstream stream;
    {
      cereal::PortableBinaryOutputArchive archive{
          stream, cereal::PortableBinaryOutputArchive::Options::LittleEndian()};
      archive(value);
    }
    return std::move(stream).str();
  }

  /// Throws `InvalidMessage` when the bytes are not exactly such a struct.
  template <class T>
  static T decode(std::string_view payload, const DecodeLimits& limits) {
    detail::BinaryInput archive{payload, limits.max_depth};
    T value{};
    archive(value);
    archive.finish();
    return value;
  }
};

/// The codec of a struct: the one it names (`using codec = satchel::BinaryCodec;`), else JSON. Specialise
/// this for a struct that you cannot change. A codec of your own has the three members that these have.
template <class T>
struct CodecOf {
  using type = JsonCodec;
};

/// A struct may name its codec itself.
template <class T>
requires requires { typename T::codec; }
struct CodecOf<T> {
  using type = typename T::codec;
};

namespace detail {

/// True when `content_type` names the media type `name`, whatever its parameters and capitals.
bool is_media_type(std::string_view content_type, std::string_view name) noexcept;

[[noreturn]] void throw_too_large(std::size_t size, std::size_t limit);
[[noreturn]] void throw_unknown_content_type(std::string_view content_type, std::string_view own);
[[noreturn]] void throw_undecodable(const std::exception& cause);

template <class T>
T decode_as(std::string_view payload, std::string_view content_type, const DecodeLimits& limits) {
  using Own = typename CodecOf<T>::type;
  if (content_type.empty() || is_media_type(content_type, Own::content_type))
    return Own::template decode<T>(payload, limits);
  // A struct with a codec of its own need not have a `serialize`.
  if constexpr (cereal::traits::is_input_serializable<T, JsonInput>::value) {
    if (is_media_type(content_type, JsonCodec::content_type)) return JsonCodec::decode<T>(payload, limits);
  }
  if constexpr (cereal::traits::is_input_serializable<T, BinaryInput>::value) {
    if (is_media_type(content_type, BinaryCodec::content_type))
      return BinaryCodec::decode<T>(payload, limits);
  }
  throw_unknown_content_type(content_type, Own::content_type);
}

}  // namespace detail

/// A payload from anywhere, back into the struct: by the codec that `content_type` names, or by the struct's
/// own when it is empty. Throws `InvalidMessage` for everything that is not a well-formed payload of this
/// struct, and for one that exceeds the limits, before memory is spent on it.
template <class T>
T decode(std::string_view payload, std::string_view content_type = {}, const DecodeLimits& limits = {}) {
  static_assert(std::is_default_constructible_v<T>, "decode starts from a default-constructed struct");
  if (payload.size() > limits.max_bytes) detail::throw_too_large(payload.size(), limits.max_bytes);
  try {
    return detail::decode_as<T>(payload, content_type, limits);
  } catch (const InvalidMessage&) {
    throw;
  } catch (const std::exception& cause) {
    // cereal's own, std::length_error, std::bad_alloc, whatever the struct's serialize throws.
    detail::throw_undecodable(cause);
  }
}

}  // namespace satchel

#pragma GCC visibility pop
