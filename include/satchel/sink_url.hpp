// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// A sink's address, taken apart: `scheme://user@host:port/path?name=value&...`. Percent-escapes are
/// resolved.
struct SinkUrl {
  std::string scheme;                        ///< in lower case: `mqtts`
  std::string user;                          ///< decoded; empty: none
  std::string host;                          ///< name or address, without brackets
  std::uint16_t port = 0;                    ///< 0: not given
  std::string path;                          ///< with its leading slash; empty when not given
  std::map<std::string, std::string> query;  ///< decoded, by name

  /// Throws `InvalidOption`. A password in the URL is refused: URLs end up in logs and process lists.
  static SinkUrl parse(const std::string& text);
};

using SinkFactory = std::function<std::unique_ptr<Sink>(const SinkUrl& url)>;

/// Makes `attach("name:...")` call `factory`. Replaces an earlier registration of the name. Thread-safe.
void register_scheme(const std::string& name, SinkFactory factory);

/// Makes the sink for a URL; throws `InvalidOption`, which lists the schemes, when there is none.
std::unique_ptr<Sink> make_sink(const std::string& url);

/// The schemes that `attach` knows, in alphabetical order.
std::vector<std::string> known_schemes();

}  // namespace satchel

#pragma GCC visibility pop
