// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/verdicts/verdicts.hpp"

#include <satchel/mqtt.hpp>

#include <memory>
#include <optional>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace satchel::mqtt {

/// What OpenSSL found out about one connection, the most telling first. libmosquitto reports every TLS
/// failure as the same error.
struct TlsOutcome {
  std::string host;                ///< for the server name indication; empty for an address
  long certificate_error = 0;      ///< X509_V_ERR_ value; 0: the certificate was accepted or not seen yet
  std::string certificate_detail;  ///< subject of the certificate that failed
  int alert = -1;                  ///< sent by the peer
  unsigned long error = 0;         ///< OpenSSL's error code

  /// Why the connection failed; nothing when TLS has no part in it.
  std::optional<Receipt> receipt() const;
};

struct TlsContextDeleter {
  void operator()(ssl_ctx_st* context) const noexcept;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, TlsContextDeleter>;

/// The context of a connection to `host`: TLS 1.2 or newer, chain and host name verified, files read anew. It
/// writes to `outcome`, which must outlive it. Throws a blocked `Refusal` when a file cannot be used.
///
/// It is our own context, and not one that libmosquitto makes from its tls options, for three reasons:
/// libmosquitto 2.0.11 matches host names by itself and takes `*.com` for a match, which OpenSSL's own
/// matching does not; only a context has hooks that tell an expired certificate from a wrong name; and we
/// connect to numeric addresses while the name to verify is another.
TlsContext make_tls_context(const MqttTls& options, const std::string& host, TlsOutcome& outcome);

/// Keeps a session and its socket readable while libmosquitto writes. With TLS 1.3 a client may write before
/// the server has looked at its certificate; libmosquitto closes the connection when that fails, although the
/// server's reason to refuse it lies in the socket by then.
class TlsRest {
 public:
  TlsRest(ssl_st* session, int socket) noexcept;
  ~TlsRest();
  TlsRest(const TlsRest&) = delete;
  TlsRest& operator=(const TlsRest&) = delete;

  /// Reads on, for what it tells the `TlsOutcome` of the context. To be called after libmosquitto has let the
  /// connection go.
  void read() noexcept;

 private:
  ssl_st* const session_;
  const int socket_;
};

}  // namespace satchel::mqtt
