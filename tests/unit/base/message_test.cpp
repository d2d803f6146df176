// SPDX-License-Identifier: MIT
#include <satchel/message.hpp>

#include <doctest/doctest.h>

#include <limits>

using satchel::MessageId;

TEST_CASE("message id: is written as 32 hex digits, a dash and the row") {
  MessageId id;
  for (std::size_t index = 0; index < id.identity.size(); ++index) {
    id.identity[index] = static_cast<std::uint8_t>(index * 17);
  }
  id.row = 42;
  CHECK(id.to_string() == "00112233445566778899aabbccddeeff-42");
}

TEST_CASE("message id: what to_string writes, parse reads") {
  MessageId id;
  id.identity[3] = 0xfe;
  for (const std::int64_t row :
       {std::int64_t{1}, std::int64_t{4503599627370495}, std::numeric_limits<std::int64_t>::max()}) {
    id.row = row;
    CHECK(MessageId::parse(id.to_string()) == id);
  }
}

TEST_CASE("message id: parse refuses everything that to_string does not write") {
  const std::string identity = "00112233445566778899aabbccddeeff";
  for (const std::string& text :
       {std::string{}, identity, identity + "-", identity + "-0", identity + "--1", identity + "-01",
        identity + "-1x", identity + "-99999999999999999999", identity + "_1",
        "00112233445566778899AABBCCDDEEFF-1" + std::string{}, "zz" + identity.substr(2) + "-1"}) {
    CAPTURE(text);
    CHECK_FALSE(MessageId::parse(text).has_value());
  }
}
