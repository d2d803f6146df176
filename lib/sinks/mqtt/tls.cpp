// SPDX-License-Identifier: MIT
#include "sinks/mqtt/tls.hpp"

#include "sinks/mqtt/refusal.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <new>

namespace satchel::mqtt {
namespace {

using verdicts::Cause;

std::string error_text(unsigned long error) {
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "";
}

std::string take_error_text() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  return error_text(error);
}

TlsOutcome* outcome_of(const SSL* ssl) {
  return static_cast<TlsOutcome*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

int note_certificate(int accepted, X509_STORE_CTX* store) {
  if (accepted != 0) return accepted;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsOutcome* outcome = ssl != nullptr ? outcome_of(ssl) : nullptr;
  if (outcome == nullptr || outcome->certificate_error != 0) return accepted;
  outcome->certificate_error = X509_STORE_CTX_get_error(store);
  outcome->certificate_detail = X509_verify_cert_error_string(outcome->certificate_error);
  if (const X509* certificate = X509_STORE_CTX_get_current_cert(store); certificate != nullptr) {
    std::array<char, 200> subject{};
    X509_NAME_oneline(X509_get_subject_name(certificate), subject.data(), static_cast<int>(subject.size()));
    outcome->certificate_detail.append(", subject ").append(subject.data());
  }
  return accepted;
}

void watch(const SSL* ssl, int where, int value) {
  TlsOutcome* outcome = outcome_of(ssl);
  if (outcome == nullptr) return;
  if ((where & SSL_CB_HANDSHAKE_START) != 0) {
    // libmosquitto indicates the numeric address that it connects to; servers choose their certificate by the
    // name.
    std::string name = outcome->host;
    SSL_ctrl(const_cast<SSL*>(ssl), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             name.empty() ? nullptr : name.data());
  }
  constexpr int kCloseNotify = 0;
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xFF) != kCloseNotify) {
    outcome->alert = value & 0xFF;
  }
  if ((where & SSL_CB_EXIT) != 0 && value < 0 && ERR_peek_last_error() != 0) {
    outcome->error = ERR_peek_last_error();
  }
}

void set_expected_name(SSL_CTX* context, const std::string& host, TlsOutcome& outcome) {
  X509_VERIFY_PARAM* verify = SSL_CTX_get0_param(context);
  std::array<unsigned char, sizeof(in6_addr)> address{};
  const bool numeric = inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
                       inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
  X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int accepted = numeric ? X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str())
                               : X509_VERIFY_PARAM_set1_host(verify, host.data(), host.size());
  if (accepted != 1) throw std::bad_alloc{};
  if (!numeric) outcome.host = host;
}

void load_authorities(SSL_CTX* context, const MqttTls& options) {
  int loaded = 1;
  if (options.ca_file.empty() && options.ca_path.empty()) {
    loaded = SSL_CTX_set_default_verify_paths(context);
  } else {
    if (!options.ca_file.empty()) loaded = SSL_CTX_load_verify_file(context, options.ca_file.c_str());
    if (loaded == 1 && !options.ca_path.empty()) {
      loaded = SSL_CTX_load_verify_dir(context, options.ca_path.c_str());
    }
  }
  if (loaded != 1) {
    const std::string& path = options.ca_file.empty() ? options.ca_path : options.ca_file;
    throw Refusal{verdicts::transport(Cause::tls_ca_files, path + ": " + take_error_text())};
  }
}

void load_client_certificate(SSL_CTX* context, const MqttTls& options) {
  if (options.certificate_file.empty()) return;
  // Without a callback OpenSSL asks the terminal for the passphrase of an encrypted key.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    throw Refusal{
        verdicts::transport(Cause::tls_client_files, options.certificate_file + ": " + take_error_text())};
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    throw Refusal{verdicts::transport(Cause::tls_client_files, options.key_file + ": " + take_error_text())};
  }
}

Cause cause_of_alert(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return Cause::tls_client_refused;
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_INSUFFICIENT_SECURITY:
      return Cause::tls_version;
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_UNRECOGNIZED_NAME:
      return Cause::tls_refused;
    default:
      return Cause::tls_handshake;
  }
}

Cause cause_of_error(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_WRONG_SSL_VERSION:
      return Cause::tls_version;
    default:
      return Cause::tls_handshake;
  }
}

}  // namespace

std::optional<Receipt> TlsOutcome::receipt() const {
  if (certificate_error != 0) {
    return verdicts::transport(verdicts::cause_of_certificate_error(certificate_error), certificate_detail);
  }
  if (alert >= 0) return verdicts::transport(cause_of_alert(alert), SSL_alert_desc_string_long(alert));
  if (error != 0) return verdicts::transport(cause_of_error(error), error_text(error));
  return std::nullopt;
}

void TlsContextDeleter::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }

TlsContext make_tls_context(const MqttTls& options, const std::string& host, TlsOutcome& outcome) {
  ERR_clear_error();
  TlsContext context{SSL_CTX_new(TLS_client_method())};
  if (!context) throw std::bad_alloc{};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, note_certificate);
  SSL_CTX_set_info_callback(context.get(), watch);
  SSL_CTX_set_app_data(context.get(), &outcome);
  // libmosquitto repeats a write that did not fit, from where its packet lies by then.
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  set_expected_name(context.get(), host, outcome);
  load_authorities(context.get(), options);
  load_client_certificate(context.get(), options);
  ERR_clear_error();
  return context;
}

TlsRest::TlsRest(ssl_st* session, int socket) noexcept
    : session_(session), socket_(fcntl(socket, F_DUPFD_CLOEXEC, 0)) {
  SSL_up_ref(session_);
}

TlsRest::~TlsRest() {
  SSL_free(session_);
  if (socket_ >= 0) close(socket_);
}

void TlsRest::read() noexcept {
  char byte = 0;
  if (socket_ >= 0 && SSL_set_fd(session_, socket_) == 1) SSL_read(session_, &byte, 1);
}

}  // namespace satchel::mqtt
