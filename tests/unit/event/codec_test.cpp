// SPDX-License-Identifier: MIT
#include <satchel/codec.hpp>

#include <doctest/doctest.h>
#include <cereal/types/array.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/vector.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satchel {

namespace {

enum class Level : std::uint8_t { low, high };

struct Inner {
  std::string name;
  std::int16_t number = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(number));
  }
  bool operator==(const Inner&) const = default;
};

/// One of everything.
struct Wide {
  std::string text;
  double real = 0;
  float narrow = 0;
  bool flag = false;
  std::int8_t tiny = 0;
  std::uint64_t large = 0;
  std::int64_t negative = 0;
  Level level = Level::low;
  Inner inner;
  std::vector<int> numbers;
  std::vector<bool> flags;
  std::vector<Inner> inners;
  std::map<std::string, double> map;
  std::optional<std::string> maybe;
  std::array<std::uint16_t, 3> fixed{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(text), CEREAL_NVP(real), CEREAL_NVP(narrow), CEREAL_NVP(flag), CEREAL_NVP(tiny),
            CEREAL_NVP(large), CEREAL_NVP(negative), CEREAL_NVP(level));
    archive(CEREAL_NVP(inner), CEREAL_NVP(numbers), CEREAL_NVP(flags), CEREAL_NVP(inners), CEREAL_NVP(map),
            CEREAL_NVP(maybe), CEREAL_NVP(fixed));
  }
  bool operator==(const Wide&) const = default;
};

struct Numbers {
  std::vector<double> values;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(values));
  }
};

struct Tree {
  std::vector<Tree> branches;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(branches));
  }
};

struct Tiny {
  std::uint8_t number = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number));
  }
};

Wide one_of_everything() {
  Wide wide;
  wide.text = std::string{"a\0b \" \\ \n \xc3\xa4", 12};
  wide.real = 0.1;
  wide.narrow = 71.3F;
  wide.flag = true;
  wide.tiny = -128;
  wide.large = std::numeric_limits<std::uint64_t>::max();
  wide.negative = std::numeric_limits<std::int64_t>::min();
  wide.level = Level::high;
  wide.inner = {"x", -5};
  wide.numbers = {1, 2, 3};
  wide.flags = {true, false};
  wide.inners = {{"p", 1}, {"q", 2}};
  wide.map = {{"k", 1.5}};
  wide.maybe = "yes";
  wide.fixed = {7, 8, 9};
  return wide;
}

Tree deep(std::size_t depth) {
  Tree tree;
  for (std::size_t level = 1; level < depth; ++level) {
    Tree parent;
    parent.branches.push_back(std::move(tree));
    tree = std::move(parent);
  }
  return tree;
}

template <class T>
std::string error_of(std::string_view payload, std::string_view type = JsonCodec::content_type,
                     const DecodeLimits& limits = {}) {
  try {
    decode<T>(payload, type, limits);
  } catch (const InvalidMessage& error) {
    return error.problem();
  }
  return "decoded";
}

std::string little_endian(std::uint64_t number) {
  std::string bytes;
  for (int byte = 0; byte < 8; ++byte) bytes += static_cast<char>(number >> (8 * byte) & 0xffU);
  return bytes;
}

constexpr auto kBinary = BinaryCodec::content_type;

}  // namespace

TEST_CASE("codec: JSON is a flat object without spaces, and comes back exactly") {
  const std::string json = JsonCodec::encode(one_of_everything());
  CHECK(json ==
        R"({"text":"a\u0000b \" \\ \n )"
        "\xc3\xa4"
        R"(","real":0.1,"narrow":71.3,"flag":true,"tiny":-128,"large":18446744073709551615,)"
        R"("negative":-9223372036854775808,"level":1,"inner":{"name":"x","number":-5},"numbers":[1,2,3],)"
        R"("flags":[true,false],"inners":[{"name":"p","number":1},{"name":"q","number":2}],)"
        R"("map":[{"key":"k","value":1.5}],"maybe":{"nullopt":false,"data":"yes"},)"
        R"("fixed":{"value0":7,"value1":8,"value2":9}})");
  CHECK(decode<Wide>(json) == one_of_everything());
  CHECK(decode<Wide>(JsonCodec::encode(Wide{})) == Wide{});
}

TEST_CASE("codec: binary comes back exactly, from either byte order") {
  const std::string bytes = BinaryCodec::encode(one_of_everything());
  CHECK(decode<Wide>(bytes, kBinary) == one_of_everything());

  std::ostringstream stream;
  {
    cereal::PortableBinaryOutputArchive archive{stream,
                                                cereal::PortableBinaryOutputArchive::Options::BigEndian()};
    archive(one_of_everything());
  }
  CHECK(stream.str() != bytes);
  CHECK(decode<Wide>(stream.str(), kBinary) == one_of_everything());
}

TEST_CASE("codec: fields are found by name, in any order, and strange ones are skipped") {
  const Inner inner = decode<Inner>(R"( {"later": [1, {"x": 2}], "number": 4, "name": "n"} )");
  CHECK(inner == Inner{"n", 4});
}

TEST_CASE("codec: JSON that does not fit the struct names the field") {
  CHECK(error_of<Inner>(R"({"name":"n"})") == "the field 'number' is missing");
  CHECK(error_of<Inner>(R"({"name":1,"number":4})") == "the field 'name' is not a text");
  CHECK(error_of<Inner>(R"({"name":"n","number":"4"})") ==
        "the field 'number' is not a whole number from -32768 to 32767");
  CHECK(error_of<Inner>(R"({"name":"n","number":4.5})") ==
        "the field 'number' is not a whole number from -32768 to 32767");
  CHECK(error_of<Inner>(R"({"name":"n","number":40000})") ==
        "the field 'number' is not a whole number from -32768 to 32767");
  CHECK(error_of<Tiny>(R"({"number":-1})") == "the field 'number' is not a whole number from 0 to 255");
  CHECK(error_of<Tiny>(R"({"number":256})") == "the field 'number' is not a whole number from 0 to 255");
  CHECK(error_of<Numbers>(R"({"values":7})") == "the field 'values' is no object and no array");
  CHECK(error_of<Numbers>(R"({"values":{"a":1}})") == "the field 'values' is no array");
  CHECK(error_of<Numbers>(R"({"values":[1,"x"]})") ==
        "a part of the field 'values' is not a number that fits");
  CHECK(error_of<Numbers>("[]") == "the payload has too few elements");
  CHECK(error_of<Numbers>("7") == "the payload is no object and no array");
}

TEST_CASE("codec: what is not JSON is an error with its place") {
  for (const char* text : {"", "{", "{\"values\":[1,]}", "{\"values\":[NaN]}", "{\"values\":[Infinity]}",
                           "nope", "{\"values\":[1]} x", "{'values':[]}", "{\"values\":[\"\xff\"]}"}) {
    INFO(text);
    CHECK(error_of<Numbers>(text).find("not JSON, at byte ") == 0);
  }
}

TEST_CASE("codec: what JSON cannot say is not encoded") {
  CHECK_THROWS_AS(JsonCodec::encode(Numbers{{std::numeric_limits<double>::quiet_NaN()}}), InvalidMessage);
  CHECK_THROWS_AS(JsonCodec::encode(Numbers{{-std::numeric_limits<double>::infinity()}}), InvalidMessage);
  CHECK_THROWS_AS(JsonCodec::encode(Inner{"\xff", 1}), InvalidMessage);
  Wide wide;
  wide.narrow = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(JsonCodec::encode(wide), InvalidMessage);
}

TEST_CASE("codec: a size tag beyond the bytes that are left asks for no memory") {
  const std::string head = "\x01";
  for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{400'000'000}, std::uint64_t{1} << 62U,
                                   std::numeric_limits<std::uint64_t>::max()}) {
    INFO(size);
    CHECK(error_of<Numbers>(head + little_endian(size), kBinary) ==
          std::to_string(size) + " elements in 0 bytes");
  }
  CHECK(error_of<Numbers>(head + little_endian(2) + std::string(8, 'x'), kBinary) ==
        "16 bytes where 8 are left");
  CHECK(error_of<Inner>(head + little_endian(5) + "abcd", kBinary) == "5 elements in 4 bytes");
}

TEST_CASE("codec: every cut of a binary payload is an error, and so is anything behind it") {
  const std::string whole = BinaryCodec::encode(one_of_everything());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK(error_of<Wide>(whole.substr(0, size), kBinary) != "decoded");
  }
  CHECK(error_of<Wide>(whole + "x", kBinary) == "1 bytes are left over");
  CHECK(error_of<Wide>("\x02" + whole.substr(1), kBinary) == "not cereal's portable binary format");
}

TEST_CASE("codec: depth is limited, in both formats, exactly") {
  const DecodeLimits limits{.max_depth = 8};
  // A branch is a struct within a list: two levels of nodes.
  CHECK(error_of<Tree>(JsonCodec::encode(deep(4)), JsonCodec::content_type, limits) == "decoded");
  CHECK(error_of<Tree>(JsonCodec::encode(deep(5)), JsonCodec::content_type, limits) ==
        "JSON nested deeper than 8");
  CHECK(error_of<Tree>(BinaryCodec::encode(deep(4)), kBinary, limits) == "decoded");
  CHECK(error_of<Tree>(BinaryCodec::encode(deep(5)), kBinary, limits) == "nested deeper than 8");
  CHECK(error_of<Tree>(std::string(1'000'000, '['), JsonCodec::content_type) == "JSON nested deeper than 32");
  std::string bomb = "\x01";
  for (int level = 0; level < 100'000; ++level) bomb += little_endian(1);
  CHECK(error_of<Tree>(bomb, kBinary) == "nested deeper than 32");
}

TEST_CASE("codec: the payload's size is limited before anything else") {
  const DecodeLimits limits{.max_bytes = 10};
  CHECK(error_of<Tiny>(R"({"number":1})", JsonCodec::content_type, limits) == "a payload of 12 bytes");
  CHECK(error_of<Tiny>(R"({"number":1})", JsonCodec::content_type, {.max_bytes = 12}) == "decoded");
}

TEST_CASE("codec: the content type chooses the codec") {
  const std::string json = R"({"number":1})";
  CHECK(decode<Tiny>(json).number == 1);
  CHECK(decode<Tiny>(json, "Application/JSON; charset=utf-8").number == 1);
  CHECK(decode<Tiny>(json, "application/json ;x=y").number == 1);
  CHECK(error_of<Tiny>(json, "text/plain") == "no codec for the content type 'text/plain'");
  CHECK(error_of<Tiny>(json, ";") == "no codec for the content type ';'");
  CHECK(error_of<Tiny>(json, kBinary) == "not cereal's portable binary format");
}

TEST_CASE("codec: a shared pointer whose id was never given is an error") {
  const std::string bytes = "\x01" + std::string{"\x05\x00\x00\x00", 4};
  try {
    decode<std::shared_ptr<Tiny>>(bytes, kBinary);
    FAIL("decoded");
  } catch (const InvalidMessage& error) {
    CHECK(error.operation() == "decode");
  }
}

}  // namespace satchel
