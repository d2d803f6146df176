// SPDX-License-Identifier: MIT
#include "sinks/verdicts/verdicts.hpp"

#include "base/validate.hpp"
#include "sinks/verdicts/tables.hpp"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <cerrno>

namespace satchel::verdicts {
namespace {

constexpr std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::delivered:
      return "delivered";
    case Verdict::retry:
      return "retry";
    case Verdict::reject:
      return "reject";
    case Verdict::down:
      return "down";
    case Verdict::blocked:
      return "blocked";
  }
  return "";
}

constexpr std::string_view hint_text(Hint hint) {
  switch (hint) {
    case Hint::none:
      return "";
    case Hint::split_batch:
      return "a batch is split";
    case Hint::fresh_connection:
      return "on a new connection";
  }
  return "";
}

bool is_hexadecimal(Source source) {
  return source == Source::mqtt_puback || source == Source::mqtt_connack_5 ||
         source == Source::mqtt_disconnect;
}

std::string code_text(Source source, int code) {
  return is_hexadecimal(source) ? fmt::format("0x{:02X}", code) : fmt::format("{}", code);
}

std::string codes_text(Source source, const Row& row) {
  if (row.first == tables::kAny) return "other";
  if (source == Source::transport) return "";
  if (row.first == row.last) return code_text(source, row.first);
  return code_text(source, row.first) + " to " + code_text(source, row.last);
}

}  // namespace

std::span<const Row> rows(Source source) noexcept {
  switch (source) {
    case Source::mqtt_puback:
      return tables::kMqttPuback;
    case Source::mqtt_connack_5:
      return tables::kMqttConnack5;
    case Source::mqtt_connack_311:
      return tables::kMqttConnack311;
    case Source::mqtt_disconnect:
      return tables::kMqttDisconnect;
    case Source::mosquitto_publish:
      return tables::kMosquittoPublish;
    case Source::mosquitto_connection:
      return tables::kMosquittoConnection;
    case Source::http_status:
      return tables::kHttpStatus;
    case Source::transport:
      break;
  }
  return tables::kTransport;
}

std::string_view title(Source source) noexcept {
  switch (source) {
    case Source::mqtt_puback:
      return "MQTT PUBACK";
    case Source::mqtt_connack_5:
      return "MQTT 5 CONNACK";
    case Source::mqtt_connack_311:
      return "MQTT 3.1.1 CONNACK";
    case Source::mqtt_disconnect:
      return "MQTT DISCONNECT";
    case Source::mosquitto_publish:
      return "publish error";
    case Source::mosquitto_connection:
      return "connection error";
    case Source::http_status:
      return "HTTP status";
    case Source::transport:
      break;
  }
  return "transport";
}

const Row& find(Source source, int code) noexcept {
  const auto table = rows(source);
  const auto row = std::find_if(table.begin(), table.end(),
                                [code](const Row& r) { return r.first <= code && code <= r.last; });
  return row != table.end() ? *row : table.back();
}

Receipt classify(Source source, int code, std::string_view detail, std::chrono::milliseconds after) {
  const Row& row = find(source, code);
  Receipt receipt;
  receipt.verdict = row.verdict;
  if (row.verdict == Verdict::delivered) return receipt;
  if (row.verdict != Verdict::reject) receipt.after = std::max(after, std::chrono::milliseconds{0});
  receipt.reason = source == Source::transport
                       ? std::string(row.name)
                       : fmt::format("{} {} {}", title(source), code_text(source, code), row.name);
  if (!row.remedy.empty()) receipt.reason.append(": ").append(row.remedy);
  if (!detail.empty()) receipt.reason.append(" (").append(printable(detail)).append(")");
  return receipt;
}

Cause cause_of_errno(int error) noexcept {
  switch (error) {
    case ECONNREFUSED:
      return Cause::refused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
      return Cause::unreachable;
    case ETIMEDOUT:
      return Cause::connect_timeout;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENETRESET:
      return Cause::reset;
    case EPROTO:
      return Cause::protocol_error;
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
      return Cause::out_of_resources;
    default:
      return Cause::connect_failed;
  }
}

Cause cause_of_name_error(int error) noexcept {
  switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
      return Cause::name_not_found;
    case EAI_MEMORY:
      return Cause::out_of_resources;
    default:
      return Cause::name_failed;
  }
}

Cause cause_of_certificate_error(long error) noexcept {
  // The X509_V_ERR_ values of OpenSSL, which are part of its stable interface; a unit test compares them with
  // its header.
  switch (error) {
    case 2:   // UNABLE_TO_GET_ISSUER_CERT
    case 19:  // SELF_SIGNED_CERT_IN_CHAIN: a chain up to a root that is not trusted
    case 20:  // UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    case 21:  // UNABLE_TO_VERIFY_LEAF_SIGNATURE
    case 27:  // CERT_UNTRUSTED
      return Cause::tls_unknown_ca;
    case 18:  // DEPTH_ZERO_SELF_SIGNED_CERT
      return Cause::tls_self_signed;
    case 9:  // CERT_NOT_YET_VALID
      return Cause::tls_not_yet_valid;
    case 10:  // CERT_HAS_EXPIRED
      return Cause::tls_expired;
    case 23:  // CERT_REVOKED
      return Cause::tls_revoked;
    case 62:  // HOSTNAME_MISMATCH
    case 64:  // IP_ADDRESS_MISMATCH
      return Cause::tls_wrong_name;
    default:
      return Cause::tls_certificate;
  }
}

std::string printable(std::string_view text, std::size_t limit) {
  std::size_t size = std::min(text.size(), limit);
  // A cut must not leave half a character: reasons end up in JSON and in UTF-8 columns.
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  }
  std::string result(text.substr(0, size));
  const bool utf8 = is_utf8(result);
  for (char& c : result) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20U || byte == 0x7FU || (byte >= 0x80U && !utf8)) c = '?';
  }
  return result;
}

std::string markdown() {
  std::string text;
  for (const Source source : kSources) {
    text += fmt::format("### {}\n\n| code | name | verdict | meaning |\n|---|---|---|---|\n", title(source));
    for (const Row& row : rows(source)) {
      std::string meaning(row.remedy);
      if (row.hint != Hint::none)
        meaning += fmt::format("{}{}", meaning.empty() ? "" : "; ", hint_text(row.hint));
      text += fmt::format("| {} | {} | {} | {} |\n", codes_text(source, row), row.name,
                          verdict_name(row.verdict), meaning);
    }
    text += "\n";
  }
  return text;
}

}  // namespace satchel::verdicts
