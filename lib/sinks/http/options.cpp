// SPDX-License-Identifier: MIT
#include "sinks/http/options.hpp"

#include "sinks/http/fields.hpp"
#include "sinks/http/item.hpp"
#include "sinks/http/signature.hpp"
#include "sinks/http/text.hpp"
#include "sinks/http/url_template.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace satchel::http {

namespace {

using std::chrono::milliseconds;

[[noreturn]] void refuse(std::string problem, std::string hint) {
  throw InvalidOption{"HttpSink", std::move(problem), std::move(hint)};
}

template <typename Number>
void check_range(std::string_view name, Number value, Number least, Number most) {
  if (value < least || value > most)
    refuse(fmt::format("{} is {}", name, value), fmt::format("from {} to {}", least, most));
}

void check_time(std::string_view name, milliseconds value, milliseconds least, milliseconds most) {
  if (value < least || value > most) {
    refuse(fmt::format("{} is {} ms", name, value.count()),
           fmt::format("from {} ms to {} ms", least.count(), most.count()));
  }
}

void check_sizes(const HttpOptions& options) {
  constexpr std::size_t kKiB = 1U << 10U;
  constexpr std::size_t kMiB = 1U << 20U;
  check_range<std::size_t>("parallel", options.parallel, 1, 256);
  check_range<std::size_t>("batch.max_count", options.batch.max_count, 1, 10'000);
  check_range<std::size_t>("batch.max_bytes", options.batch.max_bytes, kKiB, 64 * kMiB);
  check_range<std::size_t>("gzip_min_bytes", options.gzip_min_bytes, 1, 64 * kMiB);
  check_range<std::size_t>("max_response_bytes", options.max_response_bytes, 0, 64 * kMiB);
  check_range<std::size_t>("max_response_header_bytes", options.max_response_header_bytes, kKiB, 256 * kKiB);
}

void check_times(const HttpOptions& options) {
  using std::chrono::hours;
  using std::chrono::minutes;
  using std::chrono::seconds;
  check_time("connect_timeout", options.connect_timeout, milliseconds{10}, minutes{10});
  check_time("request_timeout", options.request_timeout, milliseconds{10}, hours{1});
  check_time("idle_connection", options.idle_connection, seconds{1}, hours{24});
  check_time("connection_lifetime", options.connection_lifetime, seconds{1}, hours{24});
  check_time("batch.linger", options.batch.linger, milliseconds{0}, hours{1});
  check_time("max_retry_after", options.max_retry_after, milliseconds{0}, hours{24 * 30});
}

void check_header(const std::string& name, const std::string& value) {
  if (!is_token(name)) refuse("a static header's name is not an HTTP token", "letters, digits and -");
  if (!is_field_value(value))
    refuse("the static header '" + name + "' has a control character", "leave out line breaks and NUL");
  if (is_reserved_field(name))
    refuse("the static header '" + name + "'", "the sink sets it, or it belongs to the credentials");
}

void check_headers(const HttpOptions& options) {
  for (const Header& header : options.headers) check_header(header.name, header.value);
  for (const HttpSecretHeader& header : options.secret_headers) {
    check_header(header.name, header.value);
    if (header.file.empty() && header.value.empty())
      refuse("the secret header '" + header.name + "' is empty", "set its file or its value");
  }
  if (!is_field_value(options.user_agent)) refuse("user_agent has a control character", "leave it out");
  if (options.event_type.empty()) refuse("event_type is empty", "CloudEvents demand a type");
}

void check_credentials(const HttpOptions& options, const UrlTemplate& url) {
  const bool basic = !options.username.empty();
  const bool password = !options.password.empty() || !options.password_file.empty();
  if (password && !basic) refuse("a password without a username", "set username");
  if (basic && !options.bearer_token_file.empty())
    refuse("both username and bearer_token_file", "a request has one Authorization: keep one of them");
  const bool any =
      basic || !options.bearer_token_file.empty() || options.credentials || !options.secret_headers.empty();
  if (any && !url.is_https() && !url.is_loopback() && !options.credentials_without_tls)
    refuse("credentials for " + url.shown(), "use https://, or set credentials_without_tls");
}

void check_tls(const HttpTls& tls) {
  if (tls.certificate_file.empty() != tls.key_file.empty())
    refuse("one of certificate_file and key_file", "set both or none");
}

void check_signature(const HttpSignature& signature) {
  if (signature.secrets.empty() && signature.secrets_file.empty())
    refuse("a signature without a secret", "set secrets or secrets_file");
  for (const std::string& secret : signature.secrets) signing_key(secret);
}

void check_proxy(const std::string& proxy) {
  const bool known = proxy.empty() || proxy.starts_with("http://") || proxy.starts_with("https://");
  // The value is not repeated: it may hold a password.
  if (!known) refuse("the proxy is no http:// URL", "http://host:port");
}

}  // namespace

HttpOptions validated(HttpOptions options) {
  const UrlTemplate url{options.url};
  check_sizes(options);
  check_times(options);
  check_headers(options);
  check_credentials(options, url);
  check_tls(options.tls);
  if (options.signature) check_signature(*options.signature);
  check_proxy(options.proxy);
  return options;
}

}  // namespace satchel::http
