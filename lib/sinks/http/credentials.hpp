// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/http/secret_file.hpp"

#include <satchel/http.hpp>

#include <optional>
#include <string>
#include <vector>

namespace satchel::http {

/// What goes into `Authorization`.
struct Authorization {
  std::string value;     ///< of the field; empty: none
  std::string password;  ///< that `value` has in another form; empty: it has none
};

/// Where a sink's secrets come from. One thread at a time; may take as long as the user's function does.
class Credentials {
 public:
  explicit Credentials(const HttpOptions& options);

  /// Throws what the user's function throws, and `Error`; no secret is in a text.
  Authorization authorization();

  /// The secret headers. Throws `Error`.
  std::vector<Header> headers();

  /// Keys of the signature. Throws `Error`.
  std::vector<std::string> signing_keys();

  /// The server refused them: files are read anew, changed or not.
  void refused() noexcept;

 private:
  // Constant after construction.
  const std::function<HttpCredentials()> function_;
  const std::string username_;
  const std::string password_;
  std::vector<std::string> fixed_keys_;
  // Network thread only.
  std::optional<SecretFile> token_file_;
  std::optional<SecretFile> password_file_;
  std::optional<SecretFile> keys_file_;
  struct SecretHeader {
    std::string name;
    std::string value;
    std::optional<SecretFile> file;
  };
  std::vector<SecretHeader> headers_;
};

}  // namespace satchel::http
