// SPDX-License-Identifier: MIT
//
// Decodes bytes of any origin: either it is refused with InvalidMessage, or what came out survives another
// round trip unchanged. The first byte chooses struct and codec.
#include <satchel/codec.hpp>
#include <satchel/event.hpp>

#include <cereal/types/array.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

enum class Level : std::int16_t { low, high };

struct Reading {
  std::string sensor;
  double celsius = 0;
  float humidity = 0;
  bool valid = false;
  std::int8_t tiny = 0;
  std::uint64_t large = 0;
  Level level = Level::low;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(sensor), CEREAL_NVP(celsius), CEREAL_NVP(humidity), CEREAL_NVP(valid),
            CEREAL_NVP(tiny), CEREAL_NVP(large), CEREAL_NVP(level));
  }
};

struct Batch {
  std::vector<Reading> readings;
  std::vector<double> numbers;
  std::vector<bool> flags;
  std::map<std::string, std::vector<std::uint8_t>> blobs;
  std::optional<Reading> last;
  std::array<std::uint16_t, 3> fixed{};
  std::unique_ptr<Reading> owned;
  std::variant<int, std::string> either;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(readings), CEREAL_NVP(numbers), CEREAL_NVP(flags), CEREAL_NVP(blobs));
    archive(CEREAL_NVP(last), CEREAL_NVP(fixed), CEREAL_NVP(owned), CEREAL_NVP(either));
  }
};

struct Tree {
  std::string name;
  std::vector<Tree> branches;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(branches));
  }
};

struct Shared {
  std::shared_ptr<Reading> first;
  std::shared_ptr<Reading> second;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(first), CEREAL_NVP(second));
  }
};

template <class Codec, class T>
void round_trip(std::string_view payload) {
  std::string once;
  try {
    const T value = satchel::decode<T>(payload, Codec::content_type);
    once = Codec::encode(value);
  } catch (const satchel::InvalidMessage&) {
    return;
  }
  const satchel::DecodeLimits roomy{.max_bytes = 1U << 24U, .max_depth = 64};
  if (Codec::encode(satchel::decode<T>(once, Codec::content_type, roomy)) != once) std::abort();
}

template <class T>
void both(bool json, std::string_view payload) {
  if (json) {
    round_trip<satchel::JsonCodec, T>(payload);
  } else {
    round_trip<satchel::BinaryCodec, T>(payload);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view payload{reinterpret_cast<const char*>(data) + 1, size - 1};
  const bool json = (data[0] & 1U) != 0;
  switch (data[0] >> 1U & 3U) {
    case 0:
      both<Reading>(json, payload);
      break;
    case 1:
      both<Batch>(json, payload);
      break;
    case 2:
      both<Tree>(json, payload);
      break;
    default:
      both<Shared>(json, payload);
  }
  return 0;
}
