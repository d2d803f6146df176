// SPDX-License-Identifier: MIT
#include <satchel/custom_sink.hpp>

#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace satchel {

namespace {

void append_escaped(std::string& line, std::string_view text) {
  const bool utf8 = is_utf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr unsigned kFirstBeyondAscii = 0x80;
    if (c == '\\') {
      line += "\\\\";
    } else if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else if (c == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= kFirstBeyondAscii && !utf8)) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
}

Receipt print(const Delivery& delivery) {
  std::string line = delivery.id.to_string();
  line += '\t';
  append_escaped(line, delivery.topic);
  line += '\t';
  append_escaped(line, delivery.payload);
  line += '\n';
  // Where standard output is line-buffered a write that failed is told by the error indicator alone.
  std::clearerr(stdout);
  const bool written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() &&
                       std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written) return delivered();
  Receipt receipt = down(std::string{"standard output: "} + std::strerror(errno));
  std::clearerr(stdout);
  return receipt;
}

}  // namespace

std::unique_ptr<Sink> make_stdout_sink(const SinkUrl& url) {
  const bool plain = url.user.empty() && url.host.empty() && url.path.empty() && url.query.empty();
  if (!plain) throw InvalidOption{"attach", "the sink stdout takes no options", "write stdout:"};
  return std::make_unique<CustomSink>(sink(print, {.name = "stdout:"}));
}

}  // namespace satchel
