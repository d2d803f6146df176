// SPDX-License-Identifier: MIT
#include "sinks/mqtt/options.hpp"

#include "support/temporary_name.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace satchel;
using namespace satchel::mqtt;
using namespace std::chrono_literals;

namespace {

std::string refusal(const std::function<void(MqttOptions&)>& change) {
  MqttOptions options;
  change(options);
  try {
    static_cast<void>(MqttSink{options});
  } catch (const InvalidOption& problem) {
    return problem.what();
  }
  return {};
}

std::string url_refusal(const std::string& url) {
  try {
    static_cast<void>(MqttSink::from_url(SinkUrl::parse(url)));
  } catch (const InvalidOption& problem) {
    return problem.what();
  }
  return {};
}

bool names(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("mqtt: an option out of its range is refused by name, one at the edge is taken") {
  using Change = std::function<void(MqttOptions&)>;
  const std::vector<std::pair<std::string, Change>> bad{
      {"host", [](auto& o) { o.host.clear(); }},
      {"host", [](auto& o) { o.host = std::string("a\0b", 3); }},
      {"qos", [](auto& o) { o.qos = 2; }},
      {"qos", [](auto& o) { o.qos = -1; }},
      {"version", [](auto& o) { o.version = static_cast<MqttVersion>(9); }},
      {"window", [](auto& o) { o.window = 0; }},
      {"window", [](auto& o) { o.window = 1001; }},
      {"keep_alive", [](auto& o) { o.keep_alive = 4s; }},
      {"keep_alive", [](auto& o) { o.keep_alive = std::chrono::seconds{18 * 3600 + 1}; }},
      {"connect_timeout", [](auto& o) { o.connect_timeout = 99ms; }},
      {"connect_timeout", [](auto& o) { o.connect_timeout = 600'001ms; }},
      {"ack_timeout", [](auto& o) { o.ack_timeout = 99ms; }},
      {"ack_timeout", [](auto& o) { o.ack_timeout = 3'600'001ms; }},
      {"topic_prefix", [](auto& o) { o.topic_prefix = "a/#"; }},
      {"client_id", [](auto& o) { o.client_id = "\xFF"; }},
      {"client_id", [](auto& o) { o.client_id = std::string(65'536, 'x'); }},
      {"username", [](auto& o) { o.username = std::string("a\0b", 3); }},
      {"username", [](auto& o) { o.password = "x"; }},
      {"username", [](auto& o) { o.password_file = "/x"; }},
      {"password",
       [](auto& o) {
         o.username = "u";
         o.password = std::string("a\0b", 3);
       }},
      {"will.topic",
       [](auto& o) {
         o.will = MqttWill{"", "", 0, false};
       }},
      {"will.topic",
       [](auto& o) {
         o.will = MqttWill{"+", "", 0, false};
       }},
      {"will.qos",
       [](auto& o) {
         o.will = MqttWill{"t", "", 2, false};
       }},
      {"will.payload",
       [](auto& o) {
         o.will = MqttWill{"t", std::string(65'536, 'x'), 0, false};
       }},
      {"tls.key_file", [](auto& o) { o.tls.emplace().certificate_file = "/x"; }},
      {"tls.certificate_file", [](auto& o) { o.tls.emplace().key_file = "/x"; }},
  };
  for (const auto& [option, change] : bad) {
    const std::string& name = option;
    CAPTURE(name);
    CHECK(names(refusal(change), name));
  }
  CHECK(refusal([](auto& o) {
          o.window = 1000;
          o.keep_alive = std::chrono::seconds{18 * 3600};
          o.connect_timeout = 100ms;
          o.ack_timeout = 3'600'000ms;
          o.will = MqttWill{"t", std::string(65'535, 'x'), 1, true};
        }).empty());
}

TEST_CASE("mqtt: a refusal never repeats a secret") {
  const std::string text = refusal([](auto& o) {
    o.username = "u";
    o.password = std::string("hunter2\0x", 9);
  });
  CHECK_FALSE(text.empty());
  CHECK_FALSE(names(text, "hunter2"));
  CHECK_FALSE(names(url_refusal("mqtt://h?password=hunter2"), "hunter2"));
}

TEST_CASE("mqtt: the port follows from encryption unless it is set") {
  MqttOptions options;
  CHECK(validated(options).port == 1883);
  options.tls.emplace();
  CHECK(validated(options).port == 8883);
  options.port = 1;
  CHECK(validated(options).port == 1);
}

TEST_CASE("mqtt: the sink is named without secrets") {
  MqttOptions options;
  options.host = "broker.example";
  options.username = "user";
  options.password = "hunter2";
  CHECK(MqttSink{options}.name() == "mqtt://broker.example:1883");
  options.tls.emplace();
  options.host = "::1";
  CHECK(MqttSink{options}.name() == "mqtts://[::1]:8883");
}

TEST_CASE("mqtt: a URL stands for options") {
  setenv("SATCHEL_TEST_PASSWORD", "from the environment", 1);
  const MqttOptions o = options_from_url(SinkUrl::parse(
      "mqtts://user@broker.example:8884?client_id=c&version=3.1.1&qos=0&retain=true&topic_prefix=site%2F"
      "&password_env=SATCHEL_TEST_PASSWORD&will_topic=w&will_payload=gone&will_qos=0&will_retain=1"
      "&ca_file=%2Fca&ca_path=%2Fcas&certificate_file=%2Fc&key_file=%2Fk&keep_alive=60&connect_timeout=5000"
      "&ack_timeout=7000&window=10&envelope=true"));
  CHECK(o.host == "broker.example");
  CHECK(o.port == 8884);
  CHECK(o.username == "user");
  CHECK(o.password == "from the environment");
  CHECK(o.client_id == "c");
  CHECK(o.version == MqttVersion::v311);
  CHECK(o.qos == 0);
  CHECK(o.retain);
  CHECK(o.topic_prefix == "site/");
  REQUIRE(o.will);
  CHECK(o.will->topic == "w");
  CHECK(o.will->payload == "gone");
  CHECK(o.will->qos == 0);
  CHECK(o.will->retain);
  REQUIRE(o.tls);
  CHECK(o.tls->ca_file == "/ca");
  CHECK(o.tls->ca_path == "/cas");
  CHECK(o.tls->certificate_file == "/c");
  CHECK(o.tls->key_file == "/k");
  CHECK(o.keep_alive == 60s);
  CHECK(o.connect_timeout == 5000ms);
  CHECK(o.ack_timeout == 7000ms);
  CHECK(o.window == 10);
  CHECK(o.envelope);
  const MqttOptions plain =
      options_from_url(SinkUrl::parse("mqtt://h?password_file=%2Fp&username=u&version=automatic"));
  CHECK_FALSE(plain.tls.has_value());
  CHECK(plain.password_file == "/p");
  CHECK(plain.username == "u");
  CHECK(plain.port == 0);
}

TEST_CASE("mqtt: a URL that cannot be used is refused with what is wrong") {
  const std::vector<std::pair<std::string, std::string>> bad{
      {"http://h", "scheme"},
      {"mqtt://h/path", "path"},
      {"mqtt://h?qos=one", "qos"},
      {"mqtt://h?qos=7", "qos"},
      {"mqtt://h?retain=maybe", "retain"},
      {"mqtt://h?version=4", "version"},
      {"mqtt://h?window=0", "window"},
      {"mqtt://h?window=-1", "window"},
      {"mqtt://h?keep_alive=99999999999999999999", "keep_alive"},
      {"mqtt://h?ca_file=x", "mqtts://"},
      {"mqtt://h?colour=blue", "colour"},
      {"mqtt://u@h?password_env=SATCHEL_TEST_NOT_SET", "SATCHEL_TEST_NOT_SET"},
  };
  for (const auto& [text, part] : bad) {
    const std::string& url = text;
    CAPTURE(url);
    CHECK(names(url_refusal(url), part));
  }
}

TEST_CASE("mqtt: the password file is read to the first line end, and refused when it holds no password") {
  const std::string file = support::temporary_name();
  MqttOptions options;
  options.password_file = file;
  std::string problem;
  const auto read = [&](const std::string& content) {
    std::ofstream{file, std::ios::binary} << content;
    problem.clear();
    return current_password(options, problem);
  };
  CHECK(read("secret") == "secret");
  CHECK(read("secret\n") == "secret");
  CHECK(read("secret\r\nmore") == "secret");
  CHECK(read(std::string(65'535, 'x') + "\n").has_value());
  CHECK_FALSE(read(std::string(65'536, 'x')).has_value());
  CHECK_FALSE(read("").has_value());
  CHECK_FALSE(read("\nsecret").has_value());
  CHECK_FALSE(read(std::string("a\0b", 3)).has_value());
  CHECK_FALSE(names(problem, "a" + std::string(1, '\0')));
  std::remove(file.c_str());
  CHECK_FALSE(current_password(options, problem).has_value());
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);
  // Nobody writes to it: must not hang.
  CHECK_FALSE(current_password(options, problem).has_value());
  std::remove(file.c_str());
}
