// SPDX-License-Identifier: MIT
//
// scheme ":" [ "//" [ user "@" ] host [ ":" port ] ] [ path ] [ "?" name "=" value *( "&" name "=" value ) ]
#include <satchel/sink_url.hpp>

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace satchel {

namespace {

constexpr std::size_t kMaxUrlBytes = 8192;

// The URL itself is not repeated: somebody may have put a secret into it.
[[noreturn]] void refuse(std::string problem, std::string hint) {
  throw InvalidOption{"attach", std::move(problem), std::move(hint)};
}

int hex_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::string unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (text[index] != '%') {
      plain += text[index];
      continue;
    }
    const int high = index + 1 < text.size() ? hex_value(text[index + 1]) : -1;
    const int low = index + 2 < text.size() ? hex_value(text[index + 2]) : -1;
    if (high < 0 || low < 0)
      refuse("the URL has a % that is not followed by two hex digits", "write %25 for %");
    plain += static_cast<char>(high * 16 + low);
    index += 2;
  }
  if (std::any_of(plain.begin(), plain.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    refuse("the URL has a control character", "leave it out");
  }
  return plain;
}

std::string scheme_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  std::string scheme{text.substr(0, colon)};
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const bool well_formed = !scheme.empty() && std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
  if (colon == std::string_view::npos || !well_formed) {
    refuse("the sink's URL has no scheme", "for example mqtt://localhost");
  }
  return scheme;
}

std::uint16_t port_of(std::string_view text) {
  unsigned port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc{} || end != text.data() + text.size() || port < 1 || port > 65'535) {
    refuse(fmt::format("the port '{}'", text), "from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

void read_authority(std::string_view text, SinkUrl& url) {
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = text.substr(0, at);
    if (user.find(':') != std::string_view::npos) {
      refuse("a password in the URL", "URLs end up in logs: name a file or an environment variable instead");
    }
    url.user = unescape(user);
    text.remove_prefix(at + 1);
  }
  std::size_t host_end = text.find(':');
  if (!text.empty() && text.front() == '[') {  // an IPv6 address in brackets, RFC 3986 section 3.2.2
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos)
      refuse("the URL has a [ without a ]", "for example mqtt://[::1]:1883");
    url.host = unescape(text.substr(1, bracket - 1));
    text.remove_prefix(bracket + 1);
    if (!text.empty() && text.front() != ':')
      refuse("the URL has text behind the host", "a port begins with :");
    host_end = text.empty() ? std::string_view::npos : 0;
  } else {
    url.host = unescape(text.substr(0, host_end));
  }
  if (host_end != std::string_view::npos) url.port = port_of(text.substr(host_end + 1));
}

void read_query(std::string_view text, SinkUrl& url) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::string name = unescape(pair.substr(0, equals));
    std::string value = equals == std::string_view::npos ? std::string{} : unescape(pair.substr(equals + 1));
    if (name.empty()) refuse("the URL has a parameter without a name", "name=value");
    if (!url.query.emplace(name, std::move(value)).second) {
      refuse(fmt::format("the URL has the parameter '{}' twice", name), "keep one of them");
    }
  }
}

}  // namespace

SinkUrl SinkUrl::parse(const std::string& text) {
  if (text.size() > kMaxUrlBytes) {
    refuse(fmt::format("a sink's URL of {} bytes", text.size()), fmt::format("at most {}", kMaxUrlBytes));
  }
  SinkUrl url;
  url.scheme = scheme_of(text);
  std::string_view rest = std::string_view{text}.substr(url.scheme.size() + 1);
  if (const std::size_t fragment = rest.find('#'); fragment != std::string_view::npos) {
    refuse("the URL has a #", "write %23 for #");
  }
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    read_query(rest.substr(mark + 1), url);
    rest = rest.substr(0, mark);
  }
  if (rest.substr(0, 2) == "//") {
    rest.remove_prefix(2);
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    read_authority(rest.substr(0, slash), url);
    rest.remove_prefix(slash);
  }
  url.path = unescape(rest);
  return url;
}

}  // namespace satchel
