// SPDX-License-Identifier: MIT
#include "sinks/http/gzip.hpp"

#include <zlib.h>

#include <limits>

namespace satchel::http {

struct Gzip::Stream {
  z_stream state{};
  bool ready = false;
  ~Stream() {
    if (ready) deflateEnd(&state);
  }
};

Gzip::Gzip() : stream_{std::make_unique<Stream>()} {}
Gzip::~Gzip() = default;

std::optional<std::string> Gzip::compress(std::string_view body) {
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kMemoryLevel = 8;
  z_stream& state = stream_->state;
  if (body.size() > std::numeric_limits<uInt>::max()) return std::nullopt;
  if (!stream_->ready) {
    stream_->ready = deflateInit2(&state, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                                  Z_DEFAULT_STRATEGY) == Z_OK;
  } else {
    stream_->ready = deflateReset(&state) == Z_OK;
  }
  if (!stream_->ready) return std::nullopt;
  // No more room than the body itself: what does not fit does not pay.
  std::string packed(body.size(), '\0');
  state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  state.avail_in = static_cast<uInt>(body.size());
  state.next_out = reinterpret_cast<Bytef*>(packed.data());
  state.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&state, Z_FINISH) != Z_STREAM_END || state.avail_out == 0) return std::nullopt;
  packed.resize(packed.size() - state.avail_out);
  return packed;
}

}  // namespace satchel::http
