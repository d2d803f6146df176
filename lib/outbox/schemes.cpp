// SPDX-License-Identifier: MIT
//
// Which sink a URL's scheme names: those built into this library, and those that the application adds.
#include <satchel/custom_sink.hpp>
#include <satchel/error.hpp>
#include <satchel/features.hpp>
#include <satchel/sink_url.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <mutex>
#include <utility>

#if SATCHEL_HAVE_MQTT
#include <satchel/mqtt.hpp>
#endif
#if SATCHEL_HAVE_HTTP
#include <satchel/http.hpp>
#endif

namespace satchel {

namespace {

template <class S>
std::unique_ptr<Sink> from_url(const SinkUrl& url) {
  return std::make_unique<S>(S::from_url(url));
}

std::map<std::string, SinkFactory> built_in() {
  std::map<std::string, SinkFactory> factories{{"stdout", make_stdout_sink}};
#if SATCHEL_HAVE_MQTT
  factories["mqtt"] = from_url<MqttSink>;
  factories["mqtts"] = from_url<MqttSink>;
#endif
#if SATCHEL_HAVE_HTTP
  factories["http"] = from_url<HttpSink>;
  factories["https"] = from_url<HttpSink>;
#endif
  return factories;
}

// Own synchronisation: every use takes the mutex.
struct Schemes {
  std::mutex mutex;
  std::map<std::string, SinkFactory> factories = built_in();
};

Schemes& schemes() {
  static Schemes registered;
  return registered;
}

}  // namespace

void register_scheme(const std::string& name, SinkFactory factory) {
  Schemes& registered = schemes();
  const std::lock_guard lock{registered.mutex};
  registered.factories[name] = std::move(factory);
}

std::vector<std::string> known_schemes() {
  Schemes& registered = schemes();
  const std::lock_guard lock{registered.mutex};
  std::vector<std::string> names;
  names.reserve(registered.factories.size());
  for (const auto& [name, factory] : registered.factories) names.push_back(name);
  return names;
}

std::unique_ptr<Sink> make_sink(const std::string& text) {
  const SinkUrl url = SinkUrl::parse(text);
  SinkFactory factory;
  {
    Schemes& registered = schemes();
    const std::lock_guard lock{registered.mutex};
    const auto found = registered.factories.find(url.scheme);
    if (found != registered.factories.end()) factory = found->second;
  }
  if (!factory) {
    throw InvalidOption{"attach", fmt::format("the scheme '{}' is not known", url.scheme),
                        fmt::format("known are {}", fmt::join(known_schemes(), ", "))};
  }
  return factory(url);
}

}  // namespace satchel
