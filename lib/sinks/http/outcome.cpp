// SPDX-License-Identifier: MIT
#include "sinks/http/outcome.hpp"

#include "sinks/http/text.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

namespace satchel::http {

namespace {

using verdicts::Cause;

constexpr int kBadRequest = 400;
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [text](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

Cause timeout_cause(const Transfer& transfer, const std::string& text) {
  if (text.starts_with("Resolving")) return Cause::name_timeout;
  return transfer.exposed() ? Cause::answer_timeout : Cause::connect_timeout;
}

// The alerts by which a server says what it thinks of our certificate or of our version (RFC 8446 section 6);
// with TLS 1.3 they come with the first read after the handshake.
Cause handshake_cause(const std::string& text, Cause otherwise) {
  if (contains_any(text,
                   {"certificate required", "alert bad certificate", "alert unknown ca",
                    "alert certificate expired", "alert certificate unknown", "alert certificate revoked",
                    "alert unsupported certificate", "alert access denied"}))
    return Cause::tls_client_refused;
  if (contains_any(text, {"protocol version", "unsupported protocol", "no protocols available", "no ciphers",
                          "no shared cipher", "insufficient security"}))
    return Cause::tls_version;
  return otherwise;
}

Cause certificate_cause(const Transfer& transfer, const std::string& text) {
  // 0 and 1 are no findings of OpenSSL about the chain: libcurl itself then failed the certificate, for its
  // name.
  constexpr long kUnspecified = 1;
  const long error = transfer.certificate_error();
  if (error > kUnspecified) return verdicts::cause_of_certificate_error(error);
  return contains_any(text, {"name", "match"}) ? Cause::tls_wrong_name : Cause::tls_certificate;
}

Cause tls_cause(const Transfer& transfer, CURLcode result, const std::string& text) {
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
      return certificate_cause(transfer, text);
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return Cause::tls_certificate;
    case CURLE_SSL_CERTPROBLEM:
      return Cause::tls_client_files;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
      return Cause::tls_ca_files;
    case CURLE_SSL_CLIENTCERT:
      return Cause::tls_client_refused;
    case CURLE_SSL_CIPHER:
      return Cause::tls_version;
    default:
      return handshake_cause(text, Cause::tls_handshake);
  }
}

Cause connection_cause(const Transfer& transfer, CURLcode result, const std::string& text) {
  switch (result) {
    case CURLE_GOT_NOTHING:
      return Cause::closed;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return handshake_cause(text, Cause::reset);
    case CURLE_HTTP2_STREAM:
      return Cause::reset;
    case CURLE_UNSUPPORTED_PROTOCOL:  // an answer that is not HTTP: the address itself was checked at the
                                      // start
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
      return Cause::protocol_error;
    case CURLE_WRITE_ERROR:
      return transfer.response().header_overflow() ? Cause::answer_too_large : Cause::protocol_error;
    default:
      return tls_cause(transfer, result, text);
  }
}

Cause cause_of(const Transfer& transfer, CURLcode result, const std::string& text) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return Cause::name_failed;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return Cause::proxy_failed;
    case CURLE_COULDNT_CONNECT:
      return verdicts::cause_of_errno(transfer.connect_errno());
    case CURLE_OPERATION_TIMEDOUT:
      return timeout_cause(transfer, text);
    case CURLE_URL_MALFORMAT:
      return Cause::bad_address;
    case CURLE_NOT_BUILT_IN:
      return Cause::not_supported;
    case CURLE_LOGIN_DENIED:
      return Cause::login_denied;
    case CURLE_OUT_OF_MEMORY:
      return Cause::out_of_resources;
    case CURLE_FAILED_INIT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_ABORTED_BY_CALLBACK:
      return Cause::local_failure;
    default:
      return connection_cause(transfer, result, text);
  }
}

Receipt transport_receipt(const Transfer& transfer, CURLcode result, const Clock& clock) {
  const std::string text = transfer.error_text(result);
  const Cause cause = cause_of(transfer, result, text);
  Receipt receipt = verdicts::transport(cause, text);
  const bool about_time = cause == Cause::tls_expired || cause == Cause::tls_not_yet_valid;
  if (about_time && !clock.wall().trusted) {
    // The certificate may be sound: this mends itself when the time is set.
    receipt.verdict = Verdict::down;
    receipt.reason += "; the clock is not trusted yet";
  }
  receipt.exposed = receipt.verdict == Verdict::down && transfer.exposed();
  return receipt;
}

// What the server says in its own words, unless it is a page for browsers.
std::string detail_of(const Transfer& transfer) {
  const std::string& body = transfer.response().body();
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || body[first] == '<' || transfer.echoes_secret(body)) return {};
  return verdicts::printable(std::string_view{body}.substr(first));
}

std::string clock_detail(const Response& response, const Clock& clock) {
  constexpr std::chrono::minutes kTolerance{5};
  const auto theirs = response.date();
  if (!theirs) return {};
  const auto apart = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time - *theirs);
  if (std::chrono::abs(apart) < kTolerance) return {};
  return fmt::format("the device's clock is {} s {} the server's", std::abs(apart.count()),
                     apart.count() > 0 ? "ahead of" : "behind");
}

// nginx answers these before it looks at the request, so they say nothing about the message.
std::optional<Receipt> connection_refused(const Response& response) {
  if (response.status() != kBadRequest) return std::nullopt;
  const std::string& body = response.body();
  if (contains_any(body, {"No required SSL certificate was sent", "The SSL certificate error"}))
    return verdicts::transport(Cause::tls_client_refused, "HTTP status 400");
  if (body.find("plain HTTP request was sent to HTTPS port") != std::string::npos)
    return verdicts::transport(Cause::bad_address, "HTTP status 400: the port speaks TLS, use https://");
  return std::nullopt;
}

bool is_gateway_failure(int status) {
  constexpr int kBadGateway = 502;
  constexpr int kGatewayTimeout = 504;
  constexpr int kFirstOfOrigin = 520;
  constexpr int kLastOfOrigin = 530;
  return status == kBadGateway || status == kGatewayTimeout ||
         (status >= kFirstOfOrigin && status <= kLastOfOrigin);
}

Receipt status_receipt(const Transfer& transfer, const HttpOptions& options, const Clock& clock) {
  const Response& response = transfer.response();
  if (auto refused = connection_refused(response)) return *std::move(refused);
  const int status = response.status();
  const bool credentials = status == kUnauthorized || status == kForbidden;
  const WallReading wall = clock.wall();
  const auto now = wall.trusted ? std::optional{wall.time} : std::nullopt;
  std::string detail = credentials ? clock_detail(response, clock) : std::string{};
  if (detail.empty()) detail = detail_of(transfer);
  Receipt receipt =
      verdicts::http_status(status, std::min(response.retry_after(now), options.max_retry_after), detail);
  // A gateway that lost its server does not know whether the message got there, nor whether it is the cause.
  // Any other server that asks for a pause has not taken the message.
  receipt.exposed = receipt.verdict == Verdict::down && is_gateway_failure(status);
  return receipt;
}

}  // namespace

Outcome judge(const Transfer& transfer, CURLcode result, const HttpOptions& options, const Clock& clock) {
  Outcome outcome;
  const Response& response = transfer.response();
  if (!response.complete()) {
    outcome.receipt = transport_receipt(transfer, result, clock);
    outcome.silent = result == CURLE_OPERATION_TIMEDOUT;
    return outcome;
  }
  outcome.receipt = status_receipt(transfer, options, clock);
  const int status = response.status();
  outcome.split = outcome.receipt.verdict == Verdict::reject && transfer.batch().size() > 1;
  outcome.fresh_connection = verdicts::needs_fresh_connection(status);
  outcome.credentials_refused = status == kUnauthorized || status == kForbidden;
  return outcome;
}

}  // namespace satchel::http
