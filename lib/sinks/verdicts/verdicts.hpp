// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// The one table that says how each way a delivery can end is answered. The rows are data (`tables.hpp`); the
/// functions here look a row up and make the receipt of it. Pure: no state, no I/O, any thread. No header of
/// a protocol library is needed to use it.
namespace satchel::verdicts {

/// Who speaks: each source has its own codes and its own rows.
enum class Source : std::uint8_t {
  mqtt_puback,           ///< MQTT 5 reason codes of PUBACK
  mqtt_connack_5,        ///< MQTT 5 reason codes of CONNACK
  mqtt_connack_311,      ///< MQTT 3.1.1 return codes of CONNACK
  mqtt_disconnect,       ///< MQTT 5 reason codes of a broker's DISCONNECT
  mosquitto_publish,     ///< what libmosquitto returns from publish
  mosquitto_connection,  ///< what libmosquitto returns from connecting, reading and writing
  http_status,           ///< HTTP status codes
  transport,             ///< `Cause`: names, TCP, TLS and certificates, whatever the protocol above
};
inline constexpr Source kSources[] = {Source::mqtt_puback,       Source::mqtt_connack_5,
                                      Source::mqtt_connack_311,  Source::mqtt_disconnect,
                                      Source::mosquitto_publish, Source::mosquitto_connection,
                                      Source::http_status,       Source::transport};

/// What a sink should do besides passing on the receipt.
enum class Hint : std::uint8_t {
  none,
  split_batch,       ///< a batch: send its halves; the verdict holds for a message that stands alone
  fresh_connection,  ///< do not use this connection again
};

/// Failures below the application protocol. A sink maps the errors of its library (errno, getaddrinfo,
/// OpenSSL, curl) to these, so that the same failure has the same verdict in every sink.
enum class Cause : std::uint8_t {
  // names
  name_not_found,  ///< no such host (NXDOMAIN)
  name_failed,     ///< the name server failed or could not be asked
  name_timeout,    ///< no answer about the name in time
  // connecting
  refused,          ///< nobody listens there
  unreachable,      ///< no route to the host or network
  connect_timeout,  ///< no connection in time
  connect_failed,   ///< any other failure to connect
  proxy_failed,     ///< the proxy could not be reached or failed
  // an existing connection
  reset,             ///< reset or broken while in use
  closed,            ///< closed by the peer without an answer
  answer_timeout,    ///< no answer in time
  protocol_error,    ///< the peer does not speak the protocol: garbage, wrong length
  answer_too_large,  ///< the answer exceeds the sink's limit
  // TLS: the peer's certificate
  tls_unknown_ca,
  tls_self_signed,
  tls_wrong_name,
  tls_expired,
  tls_not_yet_valid,
  tls_revoked,
  tls_certificate,  ///< any other reason not to trust the certificate
  // TLS: our certificate, our files, the handshake
  tls_client_refused,  ///< the peer wants a client certificate or does not accept ours
  tls_client_files,    ///< our certificate or key cannot be used
  tls_ca_files,        ///< our CA certificates cannot be used
  tls_refused,         ///< the peer refuses the handshake and does not say why
  tls_version,         ///< no common TLS version or cipher
  tls_handshake,       ///< any other TLS failure
  // configuration and resources
  credentials_unreadable,  ///< the file or function that yields the credentials failed
  login_denied,            ///< the transport below asked for a login and refused it
  bad_address,             ///< the URL or address cannot be used
  not_supported,           ///< the library was built without what is needed
  out_of_resources,        ///< memory, descriptors or threads are used up here
  local_failure,           ///< anything else that went wrong on this side
};

/// One row: the codes `first` to `last` mean this.
struct Row {
  int first;
  int last;
  std::string_view name;  ///< as the protocol calls it
  Verdict verdict;
  std::string_view remedy;  ///< what it means for the operator; part of the reason
  Hint hint = Hint::none;
};

/// The rows of a source, exact codes before ranges; the last one catches every code.
std::span<const Row> rows(Source source) noexcept;

/// The row for a code; there always is one.
const Row& find(Source source, int code) noexcept;

/// What the codes of a source are called: "MQTT PUBACK", "HTTP status".
std::string_view title(Source source) noexcept;

/// The receipt for a code: verdict, and a reason like "HTTP status 503 Service Unavailable: the server is
/// overloaded or in maintenance". `after` counts with retry, down and blocked only. `detail` is what the peer
/// or library said; it is cut to 200 bytes and cleaned of control characters, but a secret in it stays a
/// secret: leave it out.
Receipt classify(Source source, int code, std::string_view detail = {}, std::chrono::milliseconds after = {});

inline Receipt http_status(int status, std::chrono::milliseconds retry_after = {},
                           std::string_view detail = {}) {
  return classify(Source::http_status, status, detail, retry_after);
}

/// 413 asks for less at once; every other rejection of a batch means one of its messages. Split in both
/// cases.
inline bool splits_batch(int status) { return find(Source::http_status, status).hint == Hint::split_batch; }

/// 421: this connection does not serve that host.
inline bool needs_fresh_connection(int status) {
  return find(Source::http_status, status).hint == Hint::fresh_connection;
}

inline Receipt transport(Cause cause, std::string_view detail = {}) {
  return classify(Source::transport, static_cast<int>(cause), detail);
}

/// The cause behind an errno of connect, read or write.
Cause cause_of_errno(int error) noexcept;

/// The cause behind a result of getaddrinfo.
Cause cause_of_name_error(int error) noexcept;

/// The cause behind an X509_V_ERR_ value of OpenSSL (what `SSL_get_verify_result` and curl's
/// CURLINFO_SSL_VERIFYRESULT yield).
Cause cause_of_certificate_error(long error) noexcept;

/// Text of a peer, safe to show: no control characters, at most `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = 200);

/// The whole table for documentation.
std::string markdown();

}  // namespace satchel::verdicts
