// SPDX-License-Identifier: MIT
#include "sinks/mqtt/packet.hpp"
#include "base/text.hpp"
#include "support/deliveries.hpp"

// Brings rapidjson, wherever this cereal keeps it.
#include <doctest/doctest.h>
#include <cereal/archives/json.hpp>

using namespace satchel;
using namespace satchel::mqtt;
using namespace std::chrono_literals;

TEST_CASE("mqtt: the expiry interval is rounded up, never 0, and fits into 32 bits") {
  CHECK(expiry_interval(1ms) == 1);
  CHECK(expiry_interval(1000ms) == 1);
  CHECK(expiry_interval(1001ms) == 2);
  CHECK(expiry_interval(0ms) == 1);
  CHECK(expiry_interval(-5s) == 1);
  CHECK(expiry_interval(std::chrono::hours{24 * 365 * 200}) == 0xFFFFFFFFU);
}

TEST_CASE("mqtt: waiting in the sink counts against the remaining time") {
  Delivery delivery = support::delivery(1);
  delivery.remaining = 10s;
  CHECK(make_packet(delivery, PacketFormat{}, 0s).expiry_seconds == 10);
  CHECK(make_packet(delivery, PacketFormat{}, 3500ms).expiry_seconds == 7);
  CHECK(make_packet(delivery, PacketFormat{}, 1h).expiry_seconds == 1);
}

namespace {

rapidjson::Document event_of(const Delivery& delivery) {
  rapidjson::Document document;
  document.Parse(cloud_event(delivery, "prefix/" + delivery.topic).c_str());
  REQUIRE_FALSE(document.HasParseError());
  return document;
}

std::string text(const rapidjson::Document& document, const char* name) {
  return document.HasMember(name) && document[name].IsString() ? document[name].GetString() : "(none)";
}

}  // namespace

TEST_CASE("mqtt: the envelope is a CloudEvents 1.0 event with all that MQTT 3.1.1 cannot carry") {
  Delivery delivery = support::delivery(3, "room \"1\"", "hello");
  delivery.key = "k";
  delivery.content_type = "text/plain";
  delivery.headers = {{"a", "1"}, {"B", "\xC3\xBC"}};
  delivery.created = WallTime{0ms};
  delivery.sequence = 4'000'000'000;
  const auto event = event_of(delivery);
  CHECK(text(event, "specversion") == "1.0");
  CHECK(text(event, "id") == delivery.id.to_string());
  CHECK(text(event, "source") ==
        "urn:satchel:" + std::string(32, 'x').replace(0, 32, delivery.id.to_string(), 0, 32));
  CHECK(text(event, "type") == "satchel.message");
  CHECK(text(event, "subject") == "prefix/room \"1\"");
  CHECK(text(event, "time") == "1970-01-01T00:00:00.000Z");
  CHECK(text(event, "datacontenttype") == "text/plain");
  CHECK(text(event, "partitionkey") == "k");
  CHECK(text(event, "satchelsequence") == "4000000000");
  CHECK(text(event, "satchelheaders") == "{\"a\":\"1\",\"B\":\"\xC3\xBC\"}");
  CHECK(text(event, "data") == "hello");
}

TEST_CASE("mqtt: the envelope leaves out what the message does not have") {
  const auto event = event_of(support::delivery(1));
  for (const char* name :
       {"time", "datacontenttype", "partitionkey", "satchelheaders", "satchelsequence", "data_base64"}) {
    CHECK_FALSE(event.HasMember(name));
  }
}

TEST_CASE("mqtt: the envelope embeds JSON, quotes text and encodes the rest") {
  Delivery delivery = support::delivery(1);
  SUBCASE("JSON") {
    delivery.content_type = "application/json; charset=utf-8";
    delivery.payload = "{\"t\": 21.5}";
    CHECK(event_of(delivery)["data"]["t"].GetDouble() == 21.5);
  }
  SUBCASE("JSON by suffix") {
    delivery.content_type = "application/senml+JSON";
    delivery.payload = "[1]";
    CHECK(event_of(delivery)["data"].IsArray());
  }
  SUBCASE("what only claims to be JSON") {
    delivery.content_type = "application/json";
    delivery.payload = "{\"t\": ";
    CHECK(text(event_of(delivery), "data_base64") == base64(delivery.payload));
    CHECK_FALSE(event_of(delivery).HasMember("data"));
  }
  SUBCASE("JSON with a NUL behind it") {
    delivery.content_type = "application/json";
    delivery.payload = std::string("{\"t\": 1}\0", 9);
    CHECK(text(event_of(delivery), "data_base64") == base64(delivery.payload));
  }
  SUBCASE("JSON that would end the envelope") {
    delivery.content_type = "application/json";
    delivery.payload = "1},\"id\":\"forged\",{";
    CHECK(event_of(delivery).HasMember("data_base64"));
    CHECK(text(event_of(delivery), "id") == delivery.id.to_string());
  }
  SUBCASE("JSON deeper than any stack") {
    delivery.content_type = "application/json";
    delivery.payload = std::string(1'000'000, '[');
    CHECK(event_of(delivery).HasMember("data_base64"));
  }
  SUBCASE("bytes") {
    delivery.payload = std::string("\0\xFF", 2);
    CHECK(text(event_of(delivery), "data_base64") == "AP8=");
  }
  SUBCASE("text with control characters") {
    delivery.payload = "a\n\"b\"";
    CHECK(text(event_of(delivery), "data") == "a\n\"b\"");
  }
  SUBCASE("nothing") {
    delivery.payload.clear();
    CHECK(text(event_of(delivery), "data").empty());
  }
}
