// SPDX-License-Identifier: MIT
#include "sinks/http/request.hpp"

#include "sinks/http/fields.hpp"
#include "sinks/http/signature.hpp"
#include "sinks/http/text.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace satchel::http {

namespace {

void add_field(Request& request, std::string_view name, std::string_view value) {
  std::string line{name};
  // "Name:" without a value would make libcurl leave the field out.
  if (value.empty()) {
    line += ';';
  } else {
    line += ": ";
    line += value;
  }
  request.fields.push_back(std::move(line));
}

constexpr std::string_view kBlank = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

void keep_secret(Request& request, std::string_view secret) {
  // Servers cut the blanks off.
  secret = trimmed(secret);
  if (!secret.empty()) request.secrets.emplace_back(secret);
}

void add_secret_field(Request& request, std::string_view name, std::string_view value) {
  add_field(request, name, value);
  value = trimmed(value);
  // The words before the last name a scheme, as in `Bearer ...`.
  keep_secret(request, value.substr(value.find_last_of(kBlank) + 1));
}

std::string joined(const Batch& batch, std::string_view open, std::string_view separator,
                   std::string_view close) {
  std::size_t size = open.size() + close.size();
  for (const Item& item : batch) size += item.encoded.size() + separator.size();
  std::string body{open};
  body.reserve(size);
  for (std::size_t index = 0; index < batch.size(); ++index) {
    if (index > 0) body += separator;
    body += batch[index].encoded;
  }
  body += close;
  return body;
}

bool is_event_attribute(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kOwn{
      "ce-id",   "ce-source",          "ce-specversion",  "ce-type", "ce-subject",
      "ce-time", "ce-datacontenttype", "ce-partitionkey", "ce-data", "ce-satchelsequence"};
  return std::any_of(kOwn.begin(), kOwn.end(), [name](auto own) { return equal_ignoring_case(own, name); });
}

}  // namespace

std::string request_id(const Batch& batch) {
  if (batch.size() == 1) return batch.front().delivery.id.to_string();
  std::string ids;
  for (const Item& item : batch) ids += item.delivery.id.to_string() + '\n';
  constexpr std::size_t kDigits = 40;
  return "batch-" + sha256_hex(ids).substr(0, kDigits);
}

RequestBuilder::RequestBuilder(const HttpOptions& options)
    : options_{options},
      clock_{options.clock ? options.clock : system_clock()},
      url_{options.url},
      credentials_{options} {}

std::optional<Receipt> RequestBuilder::clock_fault(const HttpOptions& options, const Clock& clock) {
  if (!options.signature || clock.wall().trusted) return std::nullopt;
  return down("the clock is not trusted yet: signed requests wait, because a receiver refuses a wrong time");
}

std::variant<Request, Receipt> RequestBuilder::build(Batch& batch) {
  using verdicts::Cause;
  if (auto fault = clock_fault(options_, *clock_)) return *std::move(fault);
  try {
    return compose(batch);
  } catch (const Error& error) {
    return verdicts::transport(Cause::credentials_unreadable, error.what());
  } catch (const std::exception& error) {
    return verdicts::transport(Cause::credentials_unreadable, error.what());
  } catch (...) {
    return verdicts::transport(Cause::credentials_unreadable, "the function threw something unknown");
  }
}

Request RequestBuilder::compose(Batch& batch) {
  Request request;
  const Delivery& first = batch.front().delivery;
  const std::string id = request_id(batch);
  request.url = batch.front().url;
  request.body = body_of(batch);
  add_content_type(batch, request);
  add_field(request, "Idempotency-Key", '"' + id + '"');
  if (!carries_many(options_.body)) add_message_fields(first, request);
  for (const Header& header : options_.headers) add_field(request, header.name, header.value);
  for (const Header& header : credentials_.headers()) add_secret_field(request, header.name, header.value);
  // libcurl would wait a second for "100 Continue" before a large body.
  request.fields.emplace_back("Expect:");
  if (options_.gzip && request.body.size() >= options_.gzip_min_bytes) {
    if (auto packed = gzip_.compress(request.body)) {
      request.body = std::move(*packed);
      add_field(request, "Content-Encoding", "gzip");
    }
  }
  if (options_.signature) sign(id, request);
  const Authorization authorization = credentials_.authorization();
  if (!authorization.value.empty()) add_secret_field(request, "Authorization", authorization.value);
  keep_secret(request, authorization.password);
  return request;
}

std::string RequestBuilder::body_of(Batch& batch) const {
  switch (options_.body) {
    case HttpBody::cloudevents_batch:
    case HttpBody::json_array:
      return joined(batch, "[", ",", "]");
    case HttpBody::ndjson:
      return joined(batch, "", "\n", "\n");
    case HttpBody::raw:
    case HttpBody::cloudevents_binary:
    case HttpBody::cloudevents_structured:
      break;
  }
  return std::move(batch.front().encoded);
}

void RequestBuilder::add_content_type(const Batch& batch, Request& request) const {
  switch (options_.body) {
    case HttpBody::raw:
    case HttpBody::cloudevents_binary: {
      const std::string& type = batch.front().delivery.content_type;
      // Without this libcurl claims a form.
      if (type.empty())
        request.fields.emplace_back("Content-Type:");
      else
        add_field(request, "Content-Type", type);
      return;
    }
    case HttpBody::cloudevents_structured:
      return add_field(request, "Content-Type", "application/cloudevents+json; charset=UTF-8");
    case HttpBody::cloudevents_batch:
      return add_field(request, "Content-Type", "application/cloudevents-batch+json; charset=UTF-8");
    case HttpBody::json_array:
      return add_field(request, "Content-Type", "application/json");
    case HttpBody::ndjson:
      return add_field(request, "Content-Type", "application/x-ndjson");
  }
}

/// A header of every request, which wins over a message's own.
bool RequestBuilder::is_static(std::string_view name) const noexcept {
  const auto secret = [name](const HttpSecretHeader& header) {
    return equal_ignoring_case(header.name, name);
  };
  return find_field(options_.headers, name) != nullptr ||
         std::any_of(options_.secret_headers.begin(), options_.secret_headers.end(), secret);
}

void RequestBuilder::add_message_fields(const Delivery& delivery, Request& request) const {
  add_field(request, "satchel-id", delivery.id.to_string());
  if (!url_.has_topic()) add_field(request, "satchel-topic", escape_header(delivery.topic));
  if (!delivery.key.empty()) add_field(request, "satchel-key", escape_header(delivery.key));
  if (delivery.created) add_field(request, "satchel-created", rfc3339(*delivery.created));
  if (delivery.sequence) add_field(request, "satchel-sequence", std::to_string(*delivery.sequence));
  const bool binary_event = options_.body == HttpBody::cloudevents_binary;
  if (binary_event) add_event_fields(delivery, request);
  for (const Header& header : delivery.headers) {
    if (is_reserved_field(header.name) || is_static(header.name)) continue;
    if (binary_event && is_event_attribute(header.name)) continue;
    add_field(request, header.name, header.value);
  }
}

void RequestBuilder::add_event_fields(const Delivery& delivery, Request& request) const {
  const std::string& source = options_.event_source;
  add_field(request, "ce-specversion", "1.0");
  add_field(request, "ce-id", delivery.id.to_string());
  add_field(request, "ce-source", escape_header(source.empty() ? default_source(delivery.id) : source));
  add_field(request, "ce-type", escape_header(event_type_of(delivery, options_.event_type)));
  add_field(request, "ce-subject", escape_header(delivery.topic));
  if (delivery.created) add_field(request, "ce-time", rfc3339(*delivery.created));
  if (!delivery.key.empty()) add_field(request, "ce-partitionkey", escape_header(delivery.key));
  if (delivery.sequence) add_field(request, "ce-satchelsequence", std::to_string(*delivery.sequence));
}

void RequestBuilder::sign(const std::string& id, Request& request) {
  using std::chrono::duration_cast;
  const auto now = clock_->wall().time.time_since_epoch();
  const std::int64_t timestamp = duration_cast<std::chrono::seconds>(now).count();
  add_field(request, "webhook-id", id);
  add_field(request, "webhook-timestamp", std::to_string(timestamp));
  add_field(request, "webhook-signature",
            webhook_signature(credentials_.signing_keys(), id, timestamp, request.body));
}

}  // namespace satchel::http
