// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::http {

/// Compresses bodies one after the other, with the memory of the first. One thread at a time.
class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  /// RFC 1952; nothing when that would not be smaller, or memory is short.
  std::optional<std::string> compress(std::string_view body);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace satchel::http
