// SPDX-License-Identifier: MIT
//
// A response of any server, in the pieces in which libcurl hands it over: limits hold, and what the server
// asks for stays within reason.
#include "sinks/http/response.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

constexpr std::size_t kMaxHeader = 256;
constexpr std::size_t kMaxBody = 128;

void demand(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  satchel::http::Response response{kMaxHeader, kMaxBody};
  std::size_t taken = 0;
  std::size_t at = 0;
  while (at < text.size() && !response.complete()) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const bool more = response.take_header_line(text.substr(at, end - at));
    taken += end - at;
    demand(more == !response.header_overflow() && (more ? taken <= kMaxHeader : taken > kMaxHeader));
    at = end;
    if (!more) break;
  }
  if (response.complete()) {
    demand(response.status() >= 200);
    std::size_t body = 0;
    for (; at < text.size(); at += 7) {
      const std::string_view piece = text.substr(at, 7);
      body += piece.size();
      demand(response.take_body(piece) == (body <= kMaxBody));
    }
    demand(response.body().size() <= body);
  }
  for (const std::int64_t now : {std::int64_t{0}, std::int64_t{1'769'860'800'000}, INT64_MAX / 2}) {
    const auto after = response.retry_after(satchel::WallTime{std::chrono::milliseconds{now}});
    demand(after.count() >= 0 && after <= std::chrono::hours{24LL * 365 * 101});
  }
  demand(response.retry_after(std::nullopt).count() >= 0);
  response.date();
  response.clear();
  demand(response.status() == 0 && !response.complete() && response.body().empty());
  return 0;
}
