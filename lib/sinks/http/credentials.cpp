// SPDX-License-Identifier: MIT
#include "sinks/http/credentials.hpp"

#include "sinks/http/signature.hpp"
#include "sinks/http/text.hpp"

#include <satchel/error.hpp>

#include <algorithm>

namespace satchel::http {

namespace {

Authorization authorization_of(const HttpCredentials& credentials) {
  if (!credentials.authorization.empty()) return {credentials.authorization, {}};
  if (!credentials.bearer_token.empty()) return {"Bearer " + credentials.bearer_token, {}};
  if (credentials.username.empty()) return {};
  // RFC 7617 section 2: a colon would end the name.
  if (credentials.username.find(':') != std::string::npos)
    throw Error{"send", "the user name has a colon", "basic authentication cannot carry it"};
  return {"Basic " + base64(credentials.username + ':' + credentials.password), credentials.password};
}

void refuse_control(const std::string& value) {
  if (!is_field_value(value))
    throw Error{"send", "the credentials have a control character", "check where they come from"};
}

std::optional<SecretFile> file_of(const std::string& path) {
  if (path.empty()) return std::nullopt;
  return SecretFile{path};
}

std::vector<std::string> keys_of(const std::vector<std::string>& secrets) {
  std::vector<std::string> keys;
  std::transform(secrets.begin(), secrets.end(), std::back_inserter(keys),
                 [](const std::string& secret) { return signing_key(secret); });
  return keys;
}

}  // namespace

Credentials::Credentials(const HttpOptions& options)
    : function_{options.credentials},
      username_{options.username},
      password_{options.password},
      token_file_{file_of(options.bearer_token_file)},
      password_file_{file_of(options.password_file)} {
  for (const HttpSecretHeader& header : options.secret_headers)
    headers_.push_back({header.name, header.value, file_of(header.file)});
  if (!options.signature) return;
  fixed_keys_ = keys_of(options.signature->secrets);
  if (fixed_keys_.empty()) keys_file_ = file_of(options.signature->secrets_file);
}

Authorization Credentials::authorization() {
  HttpCredentials credentials;
  if (function_) {
    credentials = function_();
  } else if (token_file_) {
    credentials.bearer_token = token_file_->first();
  } else {
    credentials.username = username_;
    credentials.password = password_file_ ? password_file_->first() : password_;
  }
  Authorization authorization = authorization_of(credentials);
  refuse_control(authorization.value);
  return authorization;
}

std::vector<Header> Credentials::headers() {
  std::vector<Header> all;
  for (SecretHeader& header : headers_) {
    all.push_back({header.name, header.file ? header.file->first() : header.value});
    refuse_control(all.back().value);
  }
  return all;
}

std::vector<std::string> Credentials::signing_keys() {
  return keys_file_ ? keys_of(keys_file_->lines()) : fixed_keys_;
}

void Credentials::refused() noexcept {
  if (token_file_) token_file_->forget();
  if (password_file_) password_file_->forget();
  if (keys_file_) keys_file_->forget();
  for (SecretHeader& header : headers_) {
    if (header.file) header.file->forget();
  }
}

}  // namespace satchel::http
