// SPDX-License-Identifier: MIT
#include "sinks/http/url_template.hpp"

#include "sinks/http/text.hpp"

#include <satchel/error.hpp>

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace satchel::http {

namespace {

constexpr std::string_view kPlace = "{topic}";
// Takes the place of the topic while libcurl looks at the rest; stands in no address by chance.
constexpr std::string_view kProbe = "satchel-topic-goes-here";

[[noreturn]] void refuse(const std::string& problem, const std::string& hint) {
  throw InvalidOption{"HttpSink", problem, hint};
}

struct UrlDeleter {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};
using UrlPtr = std::unique_ptr<CURLU, UrlDeleter>;

std::string part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return {};
  std::string copy{text};
  curl_free(text);
  return copy;
}

UrlPtr parse(const std::string& url) {
  const bool clean = std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!clean) refuse("the URL has white space or a character that is not ASCII", "percent-encode it");
  // libcurl would take the path for the host.
  if (url.find(":///") != std::string::npos)
    refuse("the URL has no host", "for example https://host/base/{topic}");
  UrlPtr parsed{curl_url()};
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK)
    refuse("the URL cannot be used", "for example https://host/base/{topic}");
  return parsed;
}

void check_parts(CURLU* url) {
  const std::string scheme = part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") refuse("the URL's scheme '" + scheme + "'", "https or http");
  if (!part(url, CURLUPART_USER).empty() || !part(url, CURLUPART_PASSWORD).empty())
    refuse("a user or a password in the URL", "URLs end up in logs: use the options for credentials");
  if (!part(url, CURLUPART_FRAGMENT).empty()) refuse("the URL has a #", "write %23 for #");
}

bool leaves_base(std::string_view topic) {
  while (true) {
    const std::size_t slash = topic.find('/');
    const std::string_view segment = topic.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    if (slash == std::string_view::npos) return false;
    topic.remove_prefix(slash + 1);
  }
}

}  // namespace

UrlTemplate::UrlTemplate(const std::string& url) {
  const std::size_t place = url.find(kPlace);
  has_topic_ = place != std::string::npos;
  before_ = url.substr(0, place);
  if (has_topic_) after_ = url.substr(place + kPlace.size());
  if (url.find_first_of("{}") != std::string::npos &&
      (!has_topic_ || (before_ + after_).find_first_of("{}") != std::string::npos))
    refuse("the URL has braces other than one {topic}", "write %7B and %7D for braces");
  const UrlPtr parsed = parse(has_topic_ ? before_ + std::string{kProbe} + after_ : url);
  check_parts(parsed.get());
  https_ = part(parsed.get(), CURLUPART_SCHEME) == "https";
  host_ = part(parsed.get(), CURLUPART_HOST);
  if (host_.find(kProbe) != std::string::npos)
    refuse("{topic} in the URL's host", "use it in the path or in the query");
  shown_ = url.substr(0, url.find('?'));
}

std::string UrlTemplate::expand(const std::string& topic) const {
  if (!has_topic_) return before_;
  if (leaves_base(topic)) {
    throw InvalidMessage{"send", "the topic has a segment . or ..",
                         "it would lead out of the URL's base path"};
  }
  return before_ + escape_path(topic) + after_;
}

bool UrlTemplate::is_loopback() const {
  return host_ == "localhost" || host_.ends_with(".localhost") || host_.starts_with("127.") ||
         host_ == "[::1]";
}

}  // namespace satchel::http
