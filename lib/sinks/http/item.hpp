// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/http/url_template.hpp"

#include <satchel/http.hpp>
#include <satchel/sink.hpp>

#include <string>
#include <vector>

namespace satchel::http {

/// A delivery on its way: what it adds to a request's body is made once, when it comes in, so that batches
/// are cut by their true size and the halves of a rejected one need no second encoding.
struct Item {
  /// Its payload has been moved into `encoded`.
  Delivery delivery;
  /// Where it goes.
  std::string url;
  std::string encoded;
};

using Batch = std::vector<Item>;

/// Several messages may share a request.
bool carries_many(HttpBody body) noexcept;

/// Encodes the deliveries of one sink.
class ItemEncoder {
 public:
  explicit ItemEncoder(const HttpOptions& options);

  /// Throws `InvalidMessage` for one that no request can carry: a header with a line break, a topic that is
  /// no path, text that is not UTF-8 where JSON needs it, a payload that is not JSON where it must be.
  Item encode(Delivery delivery) const;

 private:
  // Constant after construction.
  const HttpBody body_;
  const UrlTemplate url_;
  const HttpItem item_;
  const std::string event_source_;
  const std::string event_type_;
};

/// CloudEvents `source` of a message when the options name none.
std::string default_source(const MessageId& id);

/// The message's own CloudEvents type, or `fallback`.
std::string event_type_of(const Delivery& delivery, const std::string& fallback);

}  // namespace satchel::http
