// SPDX-License-Identifier: MIT
#include "sinks/http/transfer.hpp"

#include <satchel/error.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <new>
#include <utility>

namespace satchel::http {

namespace {

long milliseconds_of(std::chrono::milliseconds time) { return static_cast<long>(time.count()); }
long seconds_of(std::chrono::seconds time) { return static_cast<long>(time.count()); }

bool has_http2() {
  static const bool has = (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2) != 0;
  return has;
}

std::string name_of(CURLoption option) {
  const curl_easyoption* known = curl_easy_option_by_id(option);
  return known != nullptr ? known->name : "option " + std::to_string(option);
}

}  // namespace

long version_number(HttpVersion version, bool https, bool http2) noexcept {
  switch (version) {
    case HttpVersion::v1:
      return CURL_HTTP_VERSION_1_1;
    case HttpVersion::v2:
      return https ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    case HttpVersion::automatic:
      break;
  }
  return http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
}

template <typename Value>
void Transfer::set(CURLoption option, Value value) {
  const CURLcode result = curl_easy_setopt(handle_.get(), option, value);
  if (result == CURLE_OK) return;
  if (result == CURLE_OUT_OF_MEMORY) throw std::bad_alloc{};
  throw Error{"HttpSink", "libcurl refuses " + name_of(option) + ": " + curl_easy_strerror(result),
              "change the option, or use a libcurl that was built for it", result};
}

Transfer::Transfer(const HttpOptions& options)
    : handle_{curl_easy_init()}, response_{options.max_response_header_bytes, options.max_response_bytes} {
  if (!handle_) throw std::bad_alloc{};
  set_transport(options);
  set_tls(options);
  set_callbacks();
  if (options.method == HttpMethod::put)
    set(CURLOPT_CUSTOMREQUEST, "PUT");
  else
    set(CURLOPT_POST, 1L);
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
}

void Transfer::set_transport(const HttpOptions& options) {
  const bool https = options.url.starts_with("https:");
  set(CURLOPT_NOSIGNAL, 1L);
  // Without it, giving up on a name waits for the resolver all the same.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds_of(options.connect_timeout));
  set(CURLOPT_TIMEOUT_MS, milliseconds_of(options.request_timeout));
  set(CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_PROXY, options.proxy.c_str());
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  const long version = version_number(options.version, https, has_http2());
  set(CURLOPT_HTTP_VERSION, version);
  // Rather a stream of a connection that is being made than a burst of handshakes.
  set(CURLOPT_PIPEWAIT, https && version != CURL_HTTP_VERSION_1_1 ? 1L : 0L);
  set(CURLOPT_MAXAGE_CONN, seconds_of(options.idle_connection));
  set(CURLOPT_MAXLIFETIME_CONN, seconds_of(options.connection_lifetime));
}

void Transfer::set_tls(const HttpOptions& options) {
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const HttpTls& tls = options.tls;
  if (!tls.ca_file.empty()) {
    set(CURLOPT_CAINFO, tls.ca_file.c_str());
    // The file replaces the system's certificates, it does not add to them.
    set(CURLOPT_CAPATH, nullptr);
  }
  if (!tls.certificate_file.empty()) {
    set(CURLOPT_SSLCERT, tls.certificate_file.c_str());
    set(CURLOPT_SSLKEY, tls.key_file.c_str());
  }
}

void Transfer::set_callbacks() {
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::open_socket);
  set(CURLOPT_ERRORBUFFER, error_.data());
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
}

void Transfer::prepare(Request request, Batch batch, bool fresh) {
  request_ = std::move(request);
  batch_ = std::move(batch);
  response_.clear();
  error_.front() = '\0';
  FieldsPtr fields;
  for (const std::string& field : request_.fields) {
    curl_slist* longer = curl_slist_append(fields.get(), field.c_str());
    if (longer == nullptr) throw std::bad_alloc{};
    static_cast<void>(fields.release());
    fields.reset(longer);
  }
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_HTTPHEADER, fields.get());
  fields_ = std::move(fields);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  set(CURLOPT_POSTFIELDS, request_.body.c_str());
  set(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
}

std::string Transfer::error_text(CURLcode result) const {
  return error_.front() != '\0' ? std::string{error_.data()} : std::string{curl_easy_strerror(result)};
}

bool Transfer::exposed() const {
  // Counts over all connections that libcurl tried by itself for this request.
  long head = 0;
  curl_off_t body = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_REQUEST_SIZE, &head);
  curl_easy_getinfo(handle_.get(), CURLINFO_SIZE_UPLOAD_T, &body);
  return head > 0 || body > 0 || response_.status() != 0;
}

long Transfer::certificate_error() const {
  long error = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_SSL_VERIFYRESULT, &error);
  return error;
}

bool Transfer::echoes_secret(const std::string& text) const {
  return std::any_of(request_.secrets.begin(), request_.secrets.end(),
                     [&](const std::string& secret) { return text.find(secret) != std::string::npos; });
}

int Transfer::connect_errno() const {
  long error = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_OS_ERRNO, &error);
  return static_cast<int>(error);
}

curl_socket_t Transfer::open_socket(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  const bool taken = static_cast<Transfer*>(self)->response_.take_header_line({data, size * count});
  return taken ? size * count : 0;
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  const bool taken = static_cast<Transfer*>(self)->response_.take_body({data, size * count});
  return taken ? size * count : 0;
}

}  // namespace satchel::http
