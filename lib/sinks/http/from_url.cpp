// SPDX-License-Identifier: MIT
#include <satchel/http.hpp>

#include "sinks/http/text.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

namespace satchel {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

[[noreturn]] void refuse(std::string problem, std::string hint) {
  throw InvalidOption{"attach", std::move(problem), std::move(hint)};
}

using Setter = void (*)(HttpOptions& options, const std::string& name, const std::string& value);

template <typename Number>
Number number(const std::string& name, const std::string& value) {
  Number parsed{};
  const char* const end = value.data() + value.size();
  const auto [stop, failure] = std::from_chars(value.data(), end, parsed);
  if (failure != std::errc{} || stop != end) refuse(fmt::format("{}={}", name, value), "a whole number");
  return parsed;
}

bool boolean(const std::string& name, const std::string& value) {
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  refuse(fmt::format("{}={}", name, value), "true or false");
}

template <typename Choice>
Choice choice(const std::string& name, const std::string& value,
              const std::map<std::string_view, Choice>& choices) {
  const auto found = choices.find(value);
  if (found != choices.end()) return found->second;
  std::vector<std::string_view> names;
  names.reserve(choices.size());
  for (const auto& [known, meaning] : choices) names.push_back(known);
  refuse(fmt::format("{}={}", name, value), fmt::format("one of {}", fmt::join(names, ", ")));
}

std::string from_environment(const std::string& name, const std::string& variable) {
  const char* const value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0')
    refuse(fmt::format("{}={}", name, variable), "there is no such environment variable, or it is empty");
  return value;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

HttpSignature& signature_of(HttpOptions& options) {
  return options.signature ? *options.signature : options.signature.emplace();
}

template <auto Member>
void text(HttpOptions& options, const std::string& /*name*/, const std::string& value) {
  options.*Member = value;
}

template <auto Member>
void size(HttpOptions& options, const std::string& name, const std::string& value) {
  options.*Member = number<std::size_t>(name, value);
}

template <auto Member>
void flag(HttpOptions& options, const std::string& name, const std::string& value) {
  options.*Member = boolean(name, value);
}

template <auto Member>
void duration(HttpOptions& options, const std::string& name, const std::string& value) {
  using Duration = std::remove_reference_t<decltype(options.*Member)>;
  // Within 32 bits, so that no conversion of units overflows before the range is checked.
  options.*Member = Duration{number<std::int32_t>(name, value)};
}

template <auto Member>
void tls_text(HttpOptions& options, const std::string& /*name*/, const std::string& value) {
  options.tls.*Member = value;
}

void set_method(HttpOptions& options, const std::string& name, const std::string& value) {
  options.method = choice<HttpMethod>(name, value, {{"post", HttpMethod::post}, {"put", HttpMethod::put}});
}

void set_version(HttpOptions& options, const std::string& name, const std::string& value) {
  options.version = choice<HttpVersion>(
      name, value, {{"automatic", HttpVersion::automatic}, {"1.1", HttpVersion::v1}, {"2", HttpVersion::v2}});
}

void set_body(HttpOptions& options, const std::string& name, const std::string& value) {
  options.body = choice<HttpBody>(name, value,
                                  {{"raw", HttpBody::raw},
                                   {"cloudevents_binary", HttpBody::cloudevents_binary},
                                   {"cloudevents_structured", HttpBody::cloudevents_structured},
                                   {"cloudevents_batch", HttpBody::cloudevents_batch},
                                   {"json_array", HttpBody::json_array},
                                   {"ndjson", HttpBody::ndjson}});
}

void set_item(HttpOptions& options, const std::string& name, const std::string& value) {
  options.batch.item =
      choice<HttpItem>(name, value, {{"envelope", HttpItem::envelope}, {"payload", HttpItem::payload}});
}

const std::map<std::string_view, Setter>& batch_setters() {
  static const std::map<std::string_view, Setter> setters{
      {"batch_count", [](HttpOptions& o, const std::string& n,
                         const std::string& v) { o.batch.max_count = number<std::size_t>(n, v); }},
      {"batch_bytes", [](HttpOptions& o, const std::string& n,
                         const std::string& v) { o.batch.max_bytes = number<std::size_t>(n, v); }},
      {"batch_linger",
       [](HttpOptions& o, const std::string& n, const std::string& v) {
         o.batch.linger = milliseconds{number<std::int32_t>(n, v)};
       }},
      {"batch_item", set_item},
  };
  return setters;
}

const std::map<std::string_view, Setter>& secret_setters() {
  static const std::map<std::string_view, Setter> setters{
      {"bearer_token_file", text<&HttpOptions::bearer_token_file>},
      {"bearer_token_env",
       [](HttpOptions& o, const std::string& n, const std::string& v) {
         o.credentials = [token = from_environment(n, v)] { return HttpCredentials{.bearer_token = token}; };
       }},
      {"username", text<&HttpOptions::username>},
      {"password_file", text<&HttpOptions::password_file>},
      {"password_env", [](HttpOptions& o, const std::string& n,
                          const std::string& v) { o.password = from_environment(n, v); }},
      {"signature_secrets_file",
       [](HttpOptions& o, const std::string&, const std::string& v) { signature_of(o).secrets_file = v; }},
      {"signature_secrets_env",
       [](HttpOptions& o, const std::string& n, const std::string& v) {
         signature_of(o).secrets = lines_of(from_environment(n, v));
       }},
  };
  return setters;
}

const std::map<std::string_view, Setter>& plain_setters() {
  static const std::map<std::string_view, Setter> setters{
      {"method", set_method},
      {"version", set_version},
      {"body", set_body},
      {"event_source", text<&HttpOptions::event_source>},
      {"event_type", text<&HttpOptions::event_type>},
      {"gzip", flag<&HttpOptions::gzip>},
      {"gzip_min_bytes", size<&HttpOptions::gzip_min_bytes>},
      {"user_agent", text<&HttpOptions::user_agent>},
      {"credentials_without_tls", flag<&HttpOptions::credentials_without_tls>},
      {"ca_file", tls_text<&HttpTls::ca_file>},
      {"certificate_file", tls_text<&HttpTls::certificate_file>},
      {"key_file", tls_text<&HttpTls::key_file>},
      {"parallel", size<&HttpOptions::parallel>},
      {"connect_timeout", duration<&HttpOptions::connect_timeout>},
      {"request_timeout", duration<&HttpOptions::request_timeout>},
      {"idle_connection", duration<&HttpOptions::idle_connection>},
      {"connection_lifetime", duration<&HttpOptions::connection_lifetime>},
      {"max_retry_after", duration<&HttpOptions::max_retry_after>},
      {"max_response_bytes", size<&HttpOptions::max_response_bytes>},
      {"max_response_header_bytes", size<&HttpOptions::max_response_header_bytes>},
  };
  return setters;
}

std::vector<std::string_view> known_names() {
  std::vector<std::string_view> names{"header.NAME", "header_env.NAME", "header_file.NAME", "proxy", "query"};
  for (const auto* setters : {&plain_setters(), &batch_setters(), &secret_setters()}) {
    for (const auto& [name, setter] : *setters) names.push_back(name);
  }
  return names;
}

void set_proxy(HttpOptions& options, const std::string& value) {
  if (value.find('@') != std::string::npos)
    refuse("a user or a password in proxy", "URLs end up in logs: set HttpOptions::proxy in the program");
  options.proxy = value;
}

void set(HttpOptions& options, const std::string& name, const std::string& value) {
  constexpr std::string_view kHeader = "header.";
  constexpr std::string_view kHeaderFile = "header_file.";
  constexpr std::string_view kHeaderVariable = "header_env.";
  if (name == "query") return;
  if (name == "proxy") return set_proxy(options, value);
  if (name.starts_with(kHeader)) {
    options.headers.push_back({name.substr(kHeader.size()), value});
    return;
  }
  if (name.starts_with(kHeaderFile)) {
    options.secret_headers.push_back({name.substr(kHeaderFile.size()), value, {}});
    return;
  }
  if (name.starts_with(kHeaderVariable)) {
    options.secret_headers.push_back(
        {name.substr(kHeaderVariable.size()), {}, from_environment(name, value)});
    return;
  }
  for (const auto* setters : {&plain_setters(), &batch_setters(), &secret_setters()}) {
    if (const auto found = setters->find(name); found != setters->end())
      return found->second(options, name, value);
  }
  refuse(fmt::format("the parameter '{}'", name),
         fmt::format("known are {}", fmt::join(known_names(), ", ")));
}

std::string address_of(const SinkUrl& url) {
  constexpr std::string_view kPlace = "{topic}";
  const bool v6 = url.host.find(':') != std::string::npos;
  std::string address = url.scheme + "://" + (v6 ? '[' + url.host + ']' : url.host);
  if (url.port != 0) address += fmt::format(":{}", url.port);
  const std::size_t place = url.path.find(kPlace);
  address += http::escape_base_path(url.path.substr(0, place));
  if (place != std::string::npos) {
    address += kPlace;
    address += http::escape_base_path(url.path.substr(place + kPlace.size()));
  }
  const auto query = url.query.find("query");
  if (query != url.query.end()) address += '?' + query->second;
  return address;
}

}  // namespace

HttpSink HttpSink::from_url(const SinkUrl& url) {
  if (url.scheme != "http" && url.scheme != "https")
    refuse("the scheme '" + url.scheme + "'", "http or https");
  if (url.host.empty()) refuse("the URL has no host", "for example https://host/base/{topic}");
  HttpOptions options;
  options.url = address_of(url);
  options.username = url.user;
  for (const auto& [name, value] : url.query) set(options, name, value);
  return HttpSink{std::move(options)};
}

}  // namespace satchel
