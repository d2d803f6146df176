// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/http/handles.hpp"
#include "sinks/http/item.hpp"
#include "sinks/http/request.hpp"
#include "sinks/http/response.hpp"

#include <array>

namespace satchel::http {

/// libcurl's number for a version of the protocol. `http2`: this libcurl was built with HTTP/2, and would
/// refuse the number otherwise.
long version_number(HttpVersion version, bool https, bool http2) noexcept;

/// One libcurl handle, used for one request after the other. Network thread only; stays at its address.
class Transfer {
 public:
  /// Throws `Error` when libcurl cannot do what the options ask for.
  explicit Transfer(const HttpOptions& options);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Puts the request into the handle, ready for `curl_multi_add_handle`. `fresh`: not on a connection that
  /// is open already.
  void prepare(Request request, Batch batch, bool fresh);

  CURL* handle() const noexcept { return handle_.get(); }
  const Response& response() const noexcept { return response_; }
  const Batch& batch() const noexcept { return batch_; }
  Batch take_batch() noexcept { return std::move(batch_); }

  /// libcurl's words about the failure.
  std::string error_text(CURLcode result) const;
  /// Bytes of the request may have reached the server.
  bool exposed() const;
  /// The X509_V_ERR_ value of the server's certificate.
  long certificate_error() const;
  /// The text repeats something that the request was authorised with.
  bool echoes_secret(const std::string& text) const;
  /// The errno of a failed connect.
  int connect_errno() const;

 private:
  void set_transport(const HttpOptions& options);
  void set_tls(const HttpOptions& options);
  void set_callbacks();
  template <typename Value>
  void set(CURLoption option, Value value);
  // What libcurl does itself, but a process that the application starts does not inherit the connection.
  static curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);

  EasyPtr handle_;
  FieldsPtr fields_;
  Request request_;
  Response response_;
  Batch batch_;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

}  // namespace satchel::http
