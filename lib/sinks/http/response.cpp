// SPDX-License-Identifier: MIT
#include "sinks/http/response.hpp"

#include "sinks/http/text.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>

namespace satchel::http {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kKeptBody = 512;
constexpr std::size_t kKeptField = 128;
// More than anybody waits, and far from any overflow.
constexpr std::int64_t kMaxSeconds = 100LL * 365 * 86'400;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() &&
         (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n'))
    text.remove_suffix(1);
  return text;
}

std::optional<WallTime> parse_date(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::int64_t time = curl_getdate(text.c_str(), nullptr);
  if (time == -1) return std::nullopt;
  // libcurl understands years far beyond what a time in milliseconds can be.
  constexpr std::int64_t kYear9999 = 253'402'300'799;
  return WallTime{seconds{std::clamp<std::int64_t>(time, -kYear9999, kYear9999)}};
}

int parse_status(std::string_view line) {
  const std::size_t space = line.find(' ');
  int status = 0;
  if (space == std::string_view::npos) return 0;
  std::from_chars(line.data() + space + 1, line.data() + line.size(), status);
  return status;
}

}  // namespace

void Response::clear() {
  header_bytes_ = 0;
  body_bytes_ = 0;
  status_ = 0;
  complete_ = false;
  header_overflow_ = false;
  body_.clear();
  retry_after_.clear();
  date_.clear();
}

bool Response::take_header_line(std::string_view line) {
  constexpr int kFirstFinal = 200;  // 1xx: another head follows
  if (complete_) return true;       // trailers
  header_bytes_ += line.size();
  if (header_bytes_ > max_header_bytes_) {
    header_overflow_ = true;
    return false;
  }
  if (line.starts_with("HTTP/")) {
    status_ = parse_status(line);
    retry_after_.clear();
    date_.clear();
  } else if (trimmed(line).empty()) {
    complete_ = status_ >= kFirstFinal;
  } else {
    take_field(line);
  }
  return true;
}

void Response::take_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1)).substr(0, kKeptField);
  if (equal_ignoring_case(name, "retry-after")) retry_after_ = value;
  if (equal_ignoring_case(name, "date")) date_ = value;
}

bool Response::take_body(std::string_view piece) {
  body_bytes_ += piece.size();
  if (body_.size() < kKeptBody) body_ += piece.substr(0, kKeptBody - body_.size());
  return body_bytes_ <= max_body_bytes_;
}

milliseconds Response::retry_after(std::optional<WallTime> now) const {
  if (retry_after_.empty()) return {};
  const char* const end = retry_after_.data() + retry_after_.size();
  if (std::all_of(retry_after_.begin(), retry_after_.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t delta = 0;
    const bool fits = std::from_chars(retry_after_.data(), end, delta).ec == std::errc{};
    return seconds{fits ? std::min(delta, kMaxSeconds) : kMaxSeconds};
  }
  const auto until = parse_date(retry_after_);
  const auto from = date() ? date() : now;
  if (!until || !from) return {};
  return std::clamp<milliseconds>(*until - *from, milliseconds{0}, seconds{kMaxSeconds});
}

std::optional<WallTime> Response::date() const { return parse_date(date_); }

}  // namespace satchel::http
