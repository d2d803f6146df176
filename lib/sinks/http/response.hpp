// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::http {

/// A response as it comes in, line by line and piece by piece; keeps the little that matters. Network thread
/// only.
class Response {
 public:
  Response(std::size_t max_header_bytes, std::size_t max_body_bytes)
      : max_header_bytes_{max_header_bytes}, max_body_bytes_{max_body_bytes} {}

  /// For the next request.
  void clear();

  /// One line of the head, as libcurl hands it over. False: over the limit, give up.
  bool take_header_line(std::string_view line);
  /// A piece of the body. False: over the limit, give up; what is known of the response counts.
  bool take_body(std::string_view piece);

  /// The final status line and all fields have arrived. A response counts from then on, whatever becomes of
  /// its body.
  bool complete() const noexcept { return complete_; }
  bool header_overflow() const noexcept { return header_overflow_; }
  int status() const noexcept { return status_; }
  /// The beginning of the body.
  const std::string& body() const noexcept { return body_; }

  /// How long the server asks to be left alone; zero when it does not. A date is taken relative to the
  /// response's own `Date`, or to `now` where that is missing.
  std::chrono::milliseconds retry_after(std::optional<WallTime> now) const;
  /// Its `Date`.
  std::optional<WallTime> date() const;

 private:
  void take_field(std::string_view line);

  // Constant after construction.
  const std::size_t max_header_bytes_;
  const std::size_t max_body_bytes_;
  // Network thread only.
  std::size_t header_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  int status_ = 0;
  bool complete_ = false;
  bool header_overflow_ = false;
  std::string body_;
  std::string retry_after_;
  std::string date_;
};

}  // namespace satchel::http
