// SPDX-License-Identifier: MIT
#include "sinks/http/fields.hpp"

#include "sinks/http/text.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace satchel::http {

void check_field(const Header& header) {
  if (!is_token(header.name)) {
    throw InvalidMessage{"send", "a header's name is not an HTTP token of 1 to 128 bytes",
                         "letters, digits and -_.~!#$%&'*+^`|"};
  }
  if (!is_field_value(header.value)) {
    throw InvalidMessage{"send", "the value of the header '" + header.name + "' has a control character",
                         "leave out line breaks and NUL"};
  }
}

bool is_reserved_field(std::string_view name) {
  // RFC 9110 section 7.6.1 (connection), 6.4 (framing), 11 (credentials); content and identity are the
  // library's.
  static constexpr std::array<std::string_view, 27> kReserved{"host",
                                                              "connection",
                                                              "keep-alive",
                                                              "proxy-connection",
                                                              "te",
                                                              "trailer",
                                                              "transfer-encoding",
                                                              "upgrade",
                                                              "http2-settings",
                                                              "content-length",
                                                              "content-type",
                                                              "content-encoding",
                                                              "content-range",
                                                              "expect",
                                                              "range",
                                                              "if-match",
                                                              "if-none-match",
                                                              "if-modified-since",
                                                              "if-unmodified-since",
                                                              "if-range",
                                                              "authorization",
                                                              "proxy-authorization",
                                                              "cookie",
                                                              "set-cookie",
                                                              "idempotency-key",
                                                              "user-agent",
                                                              "max-forwards"};
  const std::string lowered = lower(name);
  if (lowered.starts_with("satchel-") || lowered.starts_with("webhook-")) return true;
  return std::find(kReserved.begin(), kReserved.end(), lowered) != kReserved.end();
}

const Header* find_field(const std::vector<Header>& headers, std::string_view name) noexcept {
  const auto found = std::find_if(headers.begin(), headers.end(), [name](const Header& header) {
    return equal_ignoring_case(header.name, name);
  });
  return found == headers.end() ? nullptr : &*found;
}

}  // namespace satchel::http
