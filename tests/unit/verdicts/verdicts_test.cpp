// SPDX-License-Identifier: MIT
#include "sinks/verdicts/verdicts.hpp"

#include <doctest/doctest.h>
#include <netdb.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <climits>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace satchel;
using namespace satchel::verdicts;

namespace {

constexpr auto D = Verdict::delivered;
constexpr auto T = Verdict::retry;
constexpr auto J = Verdict::reject;
constexpr auto N = Verdict::down;
constexpr auto B = Verdict::blocked;

using Expected = std::map<int, Verdict>;

// Written down a second time on purpose: a row changes only together with what is promised here.
const std::map<Source, Expected> kExpected{
    {Source::mqtt_puback,
     {{0x00, D}, {0x10, D}, {0x80, T}, {0x83, T}, {0x87, B}, {0x90, J}, {0x91, N}, {0x97, N}, {0x99, J}}},
    {Source::mqtt_connack_5,
     {{0x00, D}, {0x80, N}, {0x81, B}, {0x82, B}, {0x83, N}, {0x84, B}, {0x85, B}, {0x86, B},
      {0x87, B}, {0x88, N}, {0x89, N}, {0x8A, B}, {0x8C, B}, {0x90, B}, {0x95, B}, {0x97, N},
      {0x99, B}, {0x9A, B}, {0x9B, B}, {0x9C, B}, {0x9D, B}, {0x9F, N}}},
    {Source::mqtt_connack_311, {{0, D}, {1, B}, {2, B}, {3, N}, {4, B}, {5, B}}},
    {Source::mqtt_disconnect,
     {{0x00, N}, {0x80, N}, {0x81, N}, {0x82, N}, {0x83, N}, {0x84, B}, {0x85, B}, {0x86, B}, {0x87, B},
      {0x88, N}, {0x89, N}, {0x8A, B}, {0x8B, N}, {0x8C, B}, {0x8D, N}, {0x8E, B}, {0x8F, N}, {0x90, N},
      {0x93, N}, {0x94, N}, {0x95, N}, {0x96, N}, {0x97, N}, {0x98, N}, {0x99, N}, {0x9A, B}, {0x9B, B},
      {0x9C, B}, {0x9D, B}, {0x9E, N}, {0x9F, N}, {0xA0, N}, {0xA1, N}, {0xA2, N}}},
    {Source::mosquitto_publish, {{0, D}, {3, J}, {9, J}, {18, J}, {24, B}, {25, J}, {28, B}}},
    {Source::mosquitto_connection,
     {{0, D},  {1, N},  {2, N},  {3, B},  {4, N},  {5, N},  {7, N},  {8, N},  {10, B}, {14, N},
      {15, N}, {18, B}, {19, N}, {20, N}, {21, N}, {22, N}, {23, N}, {24, B}, {25, B}, {28, B}}},
    {Source::http_status,
     {{304, B}, {400, J}, {401, B}, {402, B}, {403, B}, {404, B}, {405, B}, {406, B}, {407, B}, {408, T},
      {409, T}, {410, B}, {411, B}, {413, J}, {414, J}, {415, J}, {417, B}, {421, T}, {422, J}, {423, T},
      {424, T}, {425, T}, {426, B}, {428, B}, {429, N}, {431, J}, {451, B}, {499, T}, {500, T}, {501, J},
      {502, N}, {503, N}, {504, N}, {505, J}, {507, N}, {509, N}, {511, N}}},
    {Source::transport,
     {{static_cast<int>(Cause::name_not_found), N},
      {static_cast<int>(Cause::name_failed), N},
      {static_cast<int>(Cause::name_timeout), N},
      {static_cast<int>(Cause::refused), N},
      {static_cast<int>(Cause::unreachable), N},
      {static_cast<int>(Cause::connect_timeout), N},
      {static_cast<int>(Cause::connect_failed), N},
      {static_cast<int>(Cause::proxy_failed), N},
      {static_cast<int>(Cause::reset), N},
      {static_cast<int>(Cause::closed), N},
      {static_cast<int>(Cause::answer_timeout), N},
      {static_cast<int>(Cause::protocol_error), N},
      {static_cast<int>(Cause::answer_too_large), N},
      {static_cast<int>(Cause::tls_unknown_ca), B},
      {static_cast<int>(Cause::tls_self_signed), B},
      {static_cast<int>(Cause::tls_wrong_name), B},
      {static_cast<int>(Cause::tls_expired), B},
      {static_cast<int>(Cause::tls_not_yet_valid), N},
      {static_cast<int>(Cause::tls_revoked), B},
      {static_cast<int>(Cause::tls_certificate), B},
      {static_cast<int>(Cause::tls_client_refused), B},
      {static_cast<int>(Cause::tls_client_files), B},
      {static_cast<int>(Cause::tls_ca_files), B},
      {static_cast<int>(Cause::tls_refused), B},
      {static_cast<int>(Cause::tls_version), B},
      {static_cast<int>(Cause::tls_handshake), N},
      {static_cast<int>(Cause::credentials_unreadable), B},
      {static_cast<int>(Cause::login_denied), B},
      {static_cast<int>(Cause::bad_address), B},
      {static_cast<int>(Cause::not_supported), B},
      {static_cast<int>(Cause::out_of_resources), N},
      {static_cast<int>(Cause::local_failure), N}}},
};

}  // namespace

TEST_CASE("verdicts: every row of the table has the verdict that is promised for it") {
  for (const Source source : kSources) {
    const Expected& expected = kExpected.at(source);
    std::size_t exact = 0;
    for (const Row& row : rows(source)) {
      CAPTURE(title(source));
      CAPTURE(row.first);
      if (row.first != row.last) continue;
      ++exact;
      REQUIRE(expected.count(row.first) == 1);
      CHECK(row.verdict == expected.at(row.first));
      CHECK(classify(source, row.first).verdict == expected.at(row.first));
    }
    CHECK(exact == expected.size());
  }
}

TEST_CASE("verdicts: a code without a row of its own falls into a range or into the last row") {
  CHECK(http_status(200).verdict == D);
  CHECK(http_status(202).verdict == D);
  CHECK(http_status(299).verdict == D);
  CHECK(http_status(100).verdict == N);
  CHECK(http_status(301).verdict == B);
  CHECK(http_status(308).verdict == B);
  CHECK(http_status(418).verdict == J);
  CHECK(http_status(499).verdict == T);
  CHECK(http_status(506).verdict == T);
  CHECK(http_status(520).verdict == T);
  CHECK(http_status(521).verdict == N);
  CHECK(http_status(530).verdict == N);
  CHECK(http_status(531).verdict == T);
  CHECK(http_status(599).verdict == T);
  for (const int code : {0, 99, 600, -1, INT_MAX, INT_MIN}) CHECK(http_status(code).verdict == N);
  CHECK(classify(Source::mqtt_puback, 0xFF).verdict == T);
  CHECK(classify(Source::mqtt_connack_5, 0xFF).verdict == N);
  CHECK(classify(Source::mqtt_connack_311, 6).verdict == N);
  CHECK(classify(Source::mqtt_disconnect, 0xFF).verdict == N);
  CHECK(classify(Source::mosquitto_publish, 7).verdict == N);
  CHECK(classify(Source::mosquitto_connection, 99).verdict == N);
  CHECK(classify(Source::transport, 9999).verdict == N);
}

TEST_CASE("verdicts: no row is hidden behind another, and the last one catches everything") {
  for (const Source source : kSources) {
    CAPTURE(title(source));
    const auto table = rows(source);
    std::set<int> seen;
    for (const Row& row : table) {
      CHECK(row.first <= row.last);
      CHECK_FALSE(row.name.empty());
      if (row.verdict != Verdict::delivered) CHECK_FALSE(row.remedy.empty());
      if (row.first == row.last) {
        CHECK(seen.insert(row.first).second);
        CHECK(&find(source, row.first) == &row);
      }
    }
    CHECK(table.back().first == INT_MIN);
    CHECK(table.back().last == INT_MAX);
  }
}

TEST_CASE("verdicts: the reason names source, code, meaning and what the peer said") {
  CHECK(http_status(503).reason ==
        "HTTP status 503 Service Unavailable: the server is overloaded or in maintenance");
  CHECK(classify(Source::mqtt_puback, 0x87, "no rights").reason ==
        "MQTT PUBACK 0x87 Not authorized: the broker does not let this client publish to the topic (no "
        "rights)");
  CHECK(transport(Cause::refused, "127.0.0.1 port 1").reason ==
        "connection refused: nobody listens there; check host and port (127.0.0.1 port 1)");
  CHECK(http_status(204).reason.empty());
}

TEST_CASE("verdicts: the peer's wish to wait counts where something is tried again, and never below zero") {
  using std::chrono::seconds;
  CHECK(http_status(503, seconds{30}).after == seconds{30});
  CHECK(http_status(429, seconds{7}).after == seconds{7});
  CHECK(http_status(500, seconds{5}).after == seconds{5});
  CHECK(http_status(401, seconds{5}).after == seconds{5});
  CHECK(http_status(400, seconds{5}).after == seconds{0});
  CHECK(http_status(200, seconds{5}).after == seconds{0});
  CHECK(http_status(503, seconds{-5}).after == seconds{0});
}

TEST_CASE("verdicts: a rejected batch is split, and only 421 asks for a fresh connection") {
  for (int status = 100; status < 600; ++status) {
    CAPTURE(status);
    CHECK(splits_batch(status) == (http_status(status).verdict == J));
    CHECK(needs_fresh_connection(status) == (status == 421));
  }
}

TEST_CASE("verdicts: errors of the operating system become causes") {
  const std::map<int, Cause> expected{
      {ECONNREFUSED, Cause::refused},      {ENETUNREACH, Cause::unreachable},
      {EHOSTUNREACH, Cause::unreachable},  {ENETDOWN, Cause::unreachable},
      {EHOSTDOWN, Cause::unreachable},     {EADDRNOTAVAIL, Cause::unreachable},
      {ETIMEDOUT, Cause::connect_timeout}, {ECONNRESET, Cause::reset},
      {ECONNABORTED, Cause::reset},        {EPIPE, Cause::reset},
      {ENETRESET, Cause::reset},           {EPROTO, Cause::protocol_error},
      {ENOMEM, Cause::out_of_resources},   {ENOBUFS, Cause::out_of_resources},
      {EMFILE, Cause::out_of_resources},   {ENFILE, Cause::out_of_resources},
      {EACCES, Cause::connect_failed}};
  for (const auto& [number, cause] : expected) {
    const auto error = number;
    CAPTURE(error);
    CHECK(cause_of_errno(error) == cause);
  }
  CHECK(cause_of_name_error(EAI_NONAME) == Cause::name_not_found);
  CHECK(cause_of_name_error(EAI_NODATA) == Cause::name_not_found);
  CHECK(cause_of_name_error(EAI_AGAIN) == Cause::name_failed);
  CHECK(cause_of_name_error(EAI_FAIL) == Cause::name_failed);
  CHECK(cause_of_name_error(EAI_MEMORY) == Cause::out_of_resources);
}

TEST_CASE("verdicts: OpenSSL's certificate errors become causes") {
  const std::map<long, Cause> expected{{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, Cause::tls_unknown_ca},
                                       {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, Cause::tls_unknown_ca},
                                       {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, Cause::tls_unknown_ca},
                                       {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, Cause::tls_unknown_ca},
                                       {X509_V_ERR_CERT_UNTRUSTED, Cause::tls_unknown_ca},
                                       {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, Cause::tls_self_signed},
                                       {X509_V_ERR_CERT_NOT_YET_VALID, Cause::tls_not_yet_valid},
                                       {X509_V_ERR_CERT_HAS_EXPIRED, Cause::tls_expired},
                                       {X509_V_ERR_CERT_REVOKED, Cause::tls_revoked},
                                       {X509_V_ERR_HOSTNAME_MISMATCH, Cause::tls_wrong_name},
                                       {X509_V_ERR_IP_ADDRESS_MISMATCH, Cause::tls_wrong_name},
                                       {X509_V_ERR_INVALID_PURPOSE, Cause::tls_certificate}};
  for (const auto& [number, cause] : expected) {
    const auto error = number;
    CAPTURE(error);
    CHECK(cause_of_certificate_error(error) == cause);
  }
}

TEST_CASE("verdicts: what a peer says is cut at a character and cleaned") {
  CHECK(printable("fine") == "fine");
  CHECK(printable("a\r\nb\x7f"
                  "c\0d") == "a??b?c");
  CHECK(printable(std::string("x\0y", 3)) == "x?y");
  CHECK(printable("gr\xC3\xBC\xC3\x9F"
                  "e") ==
        "gr\xC3\xBC\xC3\x9F"
        "e");
  CHECK(printable("\xFF\xFE") == "??");
  CHECK(printable(std::string(300, 'x')).size() == 200);
  // The character at the limit has two bytes, and only one would fit.
  CHECK(printable(std::string(199, 'x') + "\xC3\xBC") == std::string(199, 'x'));
  CHECK(printable(std::string(198, 'x') + "\xC3\xBC" + "y") == std::string(198, 'x') + "\xC3\xBC");
}

TEST_CASE("verdicts: the whole table prints as Markdown") {
  const std::string text = markdown();
  for (const Source source : kSources) {
    CHECK(text.find("### " + std::string(title(source)) + "\n") != std::string::npos);
    for (const Row& row : rows(source))
      CHECK(text.find("| " + std::string(row.name) + " |") != std::string::npos);
  }
  CHECK(text.find("| 0x87 | Not authorized | blocked |") != std::string::npos);
  CHECK(text.find("| 200 to 299 | Successful | delivered |") != std::string::npos);
  CHECK(text.find("| 413 | Content Too Large | reject | the message is larger than the server accepts; a "
                  "batch is split |") != std::string::npos);
}

TEST_CASE("verdicts: the table in lib/README.md is this one") {
  std::ifstream file{LIB_README};
  std::stringstream page;
  page << file.rdbuf();
  CHECK(page.str().find(markdown()) != std::string::npos);
}
