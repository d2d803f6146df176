// SPDX-License-Identifier: MIT
#include "unit/event/events.hpp"

#include <doctest/doctest.h>

#include <string>

namespace satchel {

namespace {

struct Place {
  std::string hall;
  std::uint16_t row = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(hall), CEREAL_NVP(row));
  }
};

/// Fields called like the static members that an event may have, and a field in a struct within.
struct Moved : IntegrationEvent {
  static constexpr std::string_view event_name = "moved";
  static constexpr std::string_view topic = "at/{place.hall}/{place.row}/{up}/{ratio}";

  Moved() = default;
  explicit Moved(std::string hall) : place{std::move(hall), 7} {}

  Place place;
  std::string key = "a field";
  bool up = true;
  float ratio = 0.1F;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(place), CEREAL_NVP(key), CEREAL_NVP(up), CEREAL_NVP(ratio));
  }
};

struct Misspelt {
  using event_kind = IntegrationEvent;
  static constexpr std::string_view event_name = "misspelt";
  static constexpr std::string_view topic = "plant/{lien}";

  std::string line = "boiler";
  int shift = 1;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(line), CEREAL_NVP(shift));
  }
};

struct Binary {
  using event_kind = IntegrationEvent;
  using codec = BinaryCodec;
  static constexpr std::string_view event_name = "binary";

  std::uint32_t number = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number));
  }
};

struct Legacy {
  using event_kind = IntegrationEvent;
  static constexpr std::string_view event_name = "legacy";
  int number = 0;
};

/// The application's own format.
struct LegacyCodec {
  static constexpr std::string_view content_type = "text/x-legacy";
  template <class T>
  static std::string encode(const T& event) {
    return "n=" + std::to_string(event.number);
  }
  template <class T>
  static T decode(std::string_view payload, const DecodeLimits&) {
    if (payload.substr(0, 2) != "n=") throw std::runtime_error{"no n"};
    return {.number = std::stoi(std::string{payload.substr(2)})};
  }
};

}  // namespace

template <>
struct CodecOf<Legacy> {
  using type = LegacyCodec;
};

namespace {

std::string problem_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("event: an integration event becomes a message with name, version, topic and key of its type") {
  const Message message = to_message(LineStopped{.line = "boiler", .shift = 2, .celsius = 104.5});
  CHECK(message.topic == "plant/boiler/stopped");
  CHECK(message.key == "boiler-2");
  CHECK(message.payload == R"({"line":"boiler","shift":2,"celsius":104.5})");
  CHECK(message.content_type == "application/json");
  CHECK(message.headers == std::vector<Header>{{"event-name", "line-stopped"}, {"event-version", "3"}});
}

TEST_CASE("event: without a topic the name is the topic, without a key there is none, the version is 1") {
  const Message message = to_message(Heartbeat{.count = 4});
  CHECK(message.topic == "heartbeat");
  CHECK(message.key.empty());
  CHECK(header_of(message.headers, "event-version") == "1");
  CHECK(message.payload == R"({"count":4})");
}

TEST_CASE("event: a topic takes fields of structs within, numbers and truth values") {
  const Message message = to_message(Moved{"north"});
  CHECK(message.topic == "at/north/7/true/0.1");
  CHECK(message.key.empty());
}

TEST_CASE("event: a field that the event does not have is named, with those that it has") {
  CHECK(problem_of([] { to_message(Misspelt{}); }) ==
        "publish: the event 'misspelt' has no field 'lien' for 'plant/{lien}' (it has line, shift)");
}

TEST_CASE("event: braces that do not match are no template") {
  CHECK(detail::is_template("plant/{line}/alarm"));
  CHECK(detail::is_template("plain"));
  CHECK(detail::is_template("{a}{b}"));
  CHECK_FALSE(detail::is_template("plant/{line"));
  CHECK_FALSE(detail::is_template("plant/line}"));
  CHECK_FALSE(detail::is_template("plant/{}"));
  CHECK_FALSE(detail::is_template("plant/{{line}}"));
  CHECK_FALSE(detail::is_template("{"));
}

TEST_CASE("event: a field cannot choose another topic than its level") {
  for (const std::string line : {"a/b", "+", "#", "x#"}) {
    INFO(line);
    CHECK_THROWS_AS(to_message(LineStopped{.line = line}), InvalidMessage);
  }
  CHECK(problem_of([] { to_message(LineStopped{}); }) ==
        "publish: the field 'line' of the event 'line-stopped' is empty (it is a level of the topic "
        "'plant/{line}/stopped')");
}

TEST_CASE("event: an event names its codec, or a trait does") {
  const Message binary = to_message(Binary{.number = 0x01020304});
  CHECK(binary.content_type == "application/x-cereal-portable-binary");
  CHECK(binary.payload == std::string{"\x01\x04\x03\x02\x01", 5});

  const Message legacy = to_message(Legacy{.number = 9});
  CHECK(legacy.content_type == "text/x-legacy");
  CHECK(legacy.payload == "n=9");
  CHECK(decode<Legacy>(legacy.payload, legacy.content_type).number == 9);
  CHECK_THROWS_AS(decode<Legacy>("x", "text/x-legacy"), InvalidMessage);
}

TEST_CASE("event: an event that is published arrives as its struct") {
  EventBench bench;
  const LineStopped sent{.line = "boiler", .shift = 1, .celsius = 99.25};
  Transaction tx = bench.outbox.begin();
  const MessageId id = tx.publish(sent);
  tx.commit();

  const auto deliveries = bench.deliveries();
  REQUIRE(deliveries.size() == 1);
  const Delivery& got = deliveries.front();
  CHECK(got.id == id);
  CHECK(got.topic == "plant/boiler/stopped");
  CHECK(got.key == "boiler-1");
  CHECK(header_of(got.headers, "event-name") == "line-stopped");
  CHECK(decode<LineStopped>(got.payload, got.content_type) == sent);
}

TEST_CASE("event: what is rolled back is not published") {
  EventBench bench;
  {
    Transaction tx = bench.outbox.begin();
    tx.publish(Heartbeat{.count = 1});
    tx.rollback();
  }
  {
    Transaction tx = bench.outbox.begin();
    tx.publish(Heartbeat{.count = 2});
  }
  CHECK(bench.deliveries().empty());
}

TEST_CASE("event: a refused event leaves the transaction as it was") {
  EventBench bench;
  Transaction tx = bench.outbox.begin();
  EventBench::log(tx, "before");
  CHECK_THROWS_AS(tx.publish(LineStopped{.line = "a/b"}), InvalidMessage);
  tx.publish(Heartbeat{.count = 1});
  tx.commit();
  CHECK(bench.logged() == std::vector<std::string>{"before"});
  CHECK(bench.deliveries().size() == 1);
}

TEST_CASE("event: the outbox publishes in the thread's open transaction, or in one of its own") {
  EventBench bench;
  {
    Transaction tx = bench.outbox.begin();
    bench.outbox.publish(Heartbeat{.count = 1});
  }
  CHECK(bench.deliveries().empty());
  bench.outbox.publish(Heartbeat{.count = 2});
  CHECK(bench.deliveries().size() == 1);
}

TEST_CASE("event: a transaction that has moved is still the one that the outbox publishes in") {
  EventBench bench;
  Transaction first = bench.outbox.begin();
  Transaction second{std::move(first)};
  bench.outbox.publish(Heartbeat{.count = 1});
  Transaction third = std::move(second);
  bench.outbox.publish(Heartbeat{.count = 2});
  third.rollback();
  CHECK(bench.deliveries().empty());

  Transaction fourth = bench.outbox.begin();
  third = std::move(fourth);
  bench.outbox.publish(Heartbeat{.count = 3});
  third.commit();
  CHECK(bench.deliveries().size() == 1);
}

}  // namespace satchel
