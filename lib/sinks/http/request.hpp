// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/http/credentials.hpp"
#include "sinks/http/gzip.hpp"
#include "sinks/http/item.hpp"
#include "sinks/http/url_template.hpp"

#include <satchel/clock.hpp>
#include <satchel/http.hpp>

#include <string>
#include <variant>
#include <vector>

namespace satchel::http {

/// One request as libcurl gets it.
struct Request {
  std::string url;
  /// `Name: value`, or as libcurl wants an empty one, `Name;`.
  std::vector<std::string> fields;
  std::string body;
  /// What it is authorised with, each in plain and as it is sent; none is empty. For no text that people
  /// read.
  std::vector<std::string> secrets;
};

/// Makes requests of batches. Network thread only.
class RequestBuilder {
 public:
  explicit RequestBuilder(const HttpOptions& options);

  /// Moves the body of a message that never shares a request out of the batch. The request, or the receipt
  /// for all of the batch: credentials that cannot be had (`blocked`), a clock that a signature cannot be
  /// dated by (`down`).
  std::variant<Request, Receipt> build(Batch& batch);

  /// What speaks against sending anything now; nothing: go ahead.
  static std::optional<Receipt> clock_fault(const HttpOptions& options, const Clock& clock);

  Credentials& credentials() noexcept { return credentials_; }

 private:
  Request compose(Batch& batch);
  std::string body_of(Batch& batch) const;
  void add_message_fields(const Delivery& delivery, Request& request) const;
  void add_event_fields(const Delivery& delivery, Request& request) const;
  bool is_static(std::string_view name) const noexcept;
  void add_content_type(const Batch& batch, Request& request) const;
  void sign(const std::string& id, Request& request);

  // Constant after construction.
  const HttpOptions options_;
  const std::shared_ptr<Clock> clock_;
  const UrlTemplate url_;
  // Network thread only.
  Credentials credentials_;
  Gzip gzip_;
};

/// The id of one message, or a digest of the ids of several: the same for every copy of a request.
std::string request_id(const Batch& batch);

}  // namespace satchel::http
