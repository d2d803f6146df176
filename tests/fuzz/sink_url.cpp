// SPDX-License-Identifier: MIT
//
// A sink's URL of any origin: either InvalidOption, or parts that are what they say.
#include <satchel/error.hpp>
#include <satchel/sink_url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

void demand(bool condition) {
  if (!condition) std::abort();
}

bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  try {
    const satchel::SinkUrl url = satchel::SinkUrl::parse(text);
    demand(!url.scheme.empty() && text.size() > url.scheme.size());
    demand(!has_control(url.user) && !has_control(url.host) && !has_control(url.path));
    for (const auto& [name, value] : url.query)
      demand(!name.empty() && !has_control(name) && !has_control(value));
  } catch (const satchel::InvalidOption& error) {
    // A URL may hold a secret by mistake, so no error repeats it.
    demand(!error.problem().empty() && (text.size() < 40 || error.problem().find(text) == std::string::npos));
  }
  return 0;
}
