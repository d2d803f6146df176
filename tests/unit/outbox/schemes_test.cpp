// SPDX-License-Identifier: MIT
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

TEST_CASE("schemes: an unknown scheme lists those that are known") {
  satchel::register_scheme("unit-test",
                           [](const satchel::SinkUrl&) { return std::unique_ptr<satchel::Sink>{}; });
  CHECK(satchel::make_sink("unit-test:") == nullptr);
  try {
    satchel::make_sink("gopher://h");
    FAIL("accepted");
  } catch (const satchel::InvalidOption& error) {
    CHECK(std::string{error.what()}.find("gopher") != std::string::npos);
    CHECK(std::string{error.what()}.find("unit-test") != std::string::npos);
    CHECK(std::string{error.what()}.find("stdout") != std::string::npos);
  }
}

#if SATCHEL_HAVE_MQTT
TEST_CASE("schemes: mqtt and mqtts make an MQTT sink") {
  CHECK(satchel::make_sink("mqtt://broker.example")->name() == "mqtt://broker.example:1883");
  CHECK(satchel::make_sink("mqtts://broker.example")->name() == "mqtts://broker.example:8883");
  CHECK_THROWS_AS(satchel::make_sink("mqtt://h?nonsense=1"), satchel::InvalidOption);
}
#endif

#if SATCHEL_HAVE_HTTP
TEST_CASE("schemes: http and https make an HTTP sink") {
  CHECK(satchel::make_sink("http://server.example/base")->name().find("server.example") != std::string::npos);
  CHECK_THROWS_AS(satchel::make_sink("http://h?nonsense=1"), satchel::InvalidOption);
}
#endif
