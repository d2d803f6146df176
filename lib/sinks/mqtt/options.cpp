// SPDX-License-Identifier: MIT
#include "sinks/mqtt/options.hpp"

#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

namespace satchel::mqtt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxText = 65'535;          // MQTT: strings have a 16 bit length
constexpr std::size_t kMaxPasswordFile = 65'537;  // the longest password and a line end

[[noreturn]] void refuse(std::string problem, std::string hint) {
  throw InvalidOption{"MQTT sink", std::move(problem), std::move(hint)};
}

template <typename Value, typename Limit>
void check_range(const char* name, Value value, Limit low, Limit high, const char* range) {
  if (value < low || value > high) refuse(fmt::format("{} is out of range", name), range);
}

void check_text(const char* name, std::string_view text) {
  if (text.size() > kMaxText) refuse(fmt::format("{} has {} bytes", name, text.size()), "at most 65535");
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos) {
    refuse(fmt::format("{} is not UTF-8 without NUL", name), "MQTT knows no other text");
  }
}

void check_will(const MqttWill& will) {
  if (const std::string fault = topic_fault(will.topic); !fault.empty()) {
    refuse("will.topic: " + fault, "set an MQTT topic name");
  }
  if (will.payload.size() > kMaxText) {
    refuse(fmt::format("will.payload has {} bytes", will.payload.size()), "at most 65535");
  }
  check_range("will.qos", will.qos, 0, 1, "0 or 1");
}

void check_tls(const MqttTls& tls) {
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    refuse("tls.certificate_file and tls.key_file go together, and only one is set", "set both or none");
  }
}

void check_login(const MqttOptions& options) {
  check_text("client_id", options.client_id);
  check_text("username", options.username);
  if (options.password.size() > kMaxText) refuse("password is longer than 65535 bytes", "shorten it");
  // The library takes it as a C string: what follows a NUL would be dropped in silence.
  if (options.password.find('\0') != std::string::npos) refuse("password has a NUL byte", "choose another");
  const bool has_password = !options.password.empty() || !options.password_file.empty();
  if (has_password && options.username.empty()) {
    refuse("a password is set without username", "MQTT 3.1.1 has no password without a user name");
  }
}

std::string hex(const unsigned char* bytes, std::size_t digits) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < digits; ++i) {
    text += kDigits[static_cast<unsigned>(bytes[i / 2]) >> (i % 2 == 0 ? 4U : 0U) & 0xFU];
  }
  return text;
}

std::int64_t number(const std::string& name, const std::string& text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) {
    refuse(fmt::format("{}={} is not a whole number", name, text), "write digits only");
  }
  return value;
}

int small_number(const std::string& name, const std::string& text) {
  const std::int64_t value = number(name, text);
  if (value < -1 || value > 1'000'000)
    refuse(fmt::format("{}={} is out of range", name, text), "see MqttOptions");
  return static_cast<int>(value);
}

bool flag(const std::string& name, const std::string& text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  refuse(fmt::format("{}={} is neither true nor false", name, text), "write true or false");
}

MqttVersion version(const std::string& text) {
  if (text == "automatic") return MqttVersion::automatic;
  if (text == "5" || text == "v5") return MqttVersion::v5;
  if (text == "3.1.1" || text == "v311") return MqttVersion::v311;
  refuse(fmt::format("version={} is unknown", text), "automatic, 5 or 3.1.1");
}

std::string from_environment(const std::string& variable) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): read only, while the sink is made.
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr) {
    refuse(fmt::format("the environment variable {} is not set", variable),
           "password_env names one that holds the password");
  }
  return value;
}

struct UrlReader {
  MqttOptions& options;

  MqttWill& will() const { return options.will ? *options.will : options.will.emplace(); }
  MqttTls& tls(const std::string& name) const {
    if (!options.tls) refuse(fmt::format("{} needs encryption", name), "write mqtts:// instead of mqtt://");
    return *options.tls;
  }
  milliseconds duration(const std::string& name, const std::string& text) const {
    return milliseconds{number(name, text)};
  }

  void set(const std::string& name, const std::string& text) const {
    using Setter = std::function<void(const UrlReader&, const std::string&, const std::string&)>;
    using Text = const std::string&;
    static const std::map<std::string, Setter, std::less<>> setters{
        {"client_id", [](const UrlReader& r, Text, Text v) { r.options.client_id = v; }},
        {"version", [](const UrlReader& r, Text, Text v) { r.options.version = version(v); }},
        {"qos", [](const UrlReader& r, Text n, Text v) { r.options.qos = small_number(n, v); }},
        {"retain", [](const UrlReader& r, Text n, Text v) { r.options.retain = flag(n, v); }},
        {"topic_prefix", [](const UrlReader& r, Text, Text v) { r.options.topic_prefix = v; }},
        {"username", [](const UrlReader& r, Text, Text v) { r.options.username = v; }},
        {"password_file", [](const UrlReader& r, Text, Text v) { r.options.password_file = v; }},
        {"password_env", [](const UrlReader& r, Text, Text v) { r.options.password = from_environment(v); }},
        {"will_topic", [](const UrlReader& r, Text, Text v) { r.will().topic = v; }},
        {"will_payload", [](const UrlReader& r, Text, Text v) { r.will().payload = v; }},
        {"will_qos", [](const UrlReader& r, Text n, Text v) { r.will().qos = small_number(n, v); }},
        {"will_retain", [](const UrlReader& r, Text n, Text v) { r.will().retain = flag(n, v); }},
        {"ca_file", [](const UrlReader& r, Text n, Text v) { r.tls(n).ca_file = v; }},
        {"ca_path", [](const UrlReader& r, Text n, Text v) { r.tls(n).ca_path = v; }},
        {"certificate_file", [](const UrlReader& r, Text n, Text v) { r.tls(n).certificate_file = v; }},
        {"key_file", [](const UrlReader& r, Text n, Text v) { r.tls(n).key_file = v; }},
        {"keep_alive",
         [](const UrlReader& r, Text n, Text v) { r.options.keep_alive = seconds{number(n, v)}; }},
        {"connect_timeout",
         [](const UrlReader& r, Text n, Text v) { r.options.connect_timeout = r.duration(n, v); }},
        {"ack_timeout", [](const UrlReader& r, Text n, Text v) { r.options.ack_timeout = r.duration(n, v); }},
        {"window",
         [](const UrlReader& r, Text n, Text v) {
           r.options.window = static_cast<std::size_t>(std::max(0, small_number(n, v)));
         }},
        {"envelope", [](const UrlReader& r, Text n, Text v) { r.options.envelope = flag(n, v); }},
    };
    const auto setter = setters.find(name);
    if (setter == setters.end()) {
      std::string known;
      for (const auto& [each, unused] : setters) known += (known.empty() ? "" : ", ") + each;
      // A password in the query is the likeliest mistake: its value must not be repeated, so none is.
      refuse(fmt::format("the URL's parameter '{}' is unknown", name), "known are " + known);
    }
    setter->second(*this, name, text);
  }
};

}  // namespace

MqttOptions validated(MqttOptions options) {
  if (options.host.empty()) refuse("host is empty", "name the broker");
  check_text("host", options.host);
  check_login(options);
  check_range("version", static_cast<int>(options.version), 0, 2, "automatic, v5 or v311");
  check_range("qos", options.qos, 0, 1, "0 or 1; QoS 2 does not outlive the broker's session");
  check_text("topic_prefix", options.topic_prefix);
  if (!options.topic_prefix.empty()) {
    if (const std::string fault = topic_fault(options.topic_prefix); !fault.empty()) {
      refuse("topic_prefix: " + fault, "use what an MQTT topic name may hold");
    }
  }
  if (options.will) check_will(*options.will);
  if (options.tls) check_tls(*options.tls);
  check_range("keep_alive", options.keep_alive, seconds{5}, seconds{18 * 3600}, "5 s to 18 h");
  check_range("connect_timeout", options.connect_timeout, milliseconds{100}, milliseconds{600'000},
              "100 ms to 10 min");
  check_range("ack_timeout", options.ack_timeout, milliseconds{100}, milliseconds{3'600'000},
              "100 ms to 1 h");
  check_range("window", options.window, std::size_t{1}, std::size_t{1000}, "1 to 1000");
  if (options.port == 0) options.port = options.tls ? 8883 : 1883;
  if (options.client_id.empty()) options.client_id = generated_client_id();
  return options;
}

MqttOptions options_from_url(const SinkUrl& url) {
  MqttOptions options;
  if (url.scheme != "mqtt" && url.scheme != "mqtts") {
    refuse(fmt::format("the scheme '{}' is not MQTT's", url.scheme), "mqtt:// or mqtts://");
  }
  if (!url.path.empty() && url.path != "/") {
    refuse(fmt::format("the URL has a path: {}", url.path), "use topic_prefix for a part of the topic");
  }
  if (!url.host.empty()) options.host = url.host;
  options.port = url.port;
  options.username = url.user;
  if (url.scheme == "mqtts") options.tls.emplace();
  const UrlReader reader{options};
  for (const auto& [name, text] : url.query) reader.set(name, text);
  return options;
}

std::string name_of(const MqttOptions& options) {
  const bool bracketed = options.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", options.tls ? "mqtts" : "mqtt", bracketed ? "[" : "", options.host,
                     bracketed ? "]" : "", options.port);
}

std::optional<std::string> current_password(const MqttOptions& options, std::string& problem) {
  if (options.password_file.empty()) return options.password;
  // Non-blocking: a FIFO without a writer must not hang the network thread.
  const int file = open(options.password_file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) {
    problem = fmt::format("{}: {}", options.password_file, std::generic_category().message(errno));
    return std::nullopt;
  }
  std::string text(kMaxPasswordFile, '\0');
  const ssize_t count = ::read(file, text.data(), text.size());
  const int error = errno;
  ::close(file);
  if (count < 0) {
    problem = fmt::format("{}: {}", options.password_file, std::generic_category().message(error));
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(count));
  text.resize(std::min(text.size(), text.find_first_of("\r\n")));
  if (text.empty() || text.size() > kMaxText || text.find('\0') != std::string::npos) {
    problem = fmt::format("{}: its first line is no password", options.password_file);
    return std::nullopt;
  }
  return text;
}

std::string generated_client_id() {
  std::array<unsigned char, 8> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    throw UsageError{"MQTT sink", "no random numbers for a client id", "set client_id", errno};
  }
  return "satchel-" + hex(random.data(), 15);
}

}  // namespace satchel::mqtt
