// SPDX-License-Identifier: MIT
//
// Variables of any origin, one NAME=VALUE a line: either InvalidOption, or options within their ranges that
// the same variables do not change again.
#include "base/environment.hpp"
#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  std::map<std::string, std::string> variables;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = std::min(line.find('='), line.size());
    variables.emplace("SATCHEL_" + std::string{line.substr(0, equals)},
                      std::string{line.substr(std::min(equals + 1, line.size()))});
  }
  try {
    const satchel::Options once = satchel::overlaid({}, "SATCHEL_", variables);
    satchel::validate(once);
    const satchel::Options twice = satchel::overlaid(once, "SATCHEL_", variables);
    if (twice.batch_size != once.batch_size || twice.claim_timeout != once.claim_timeout) std::abort();
  } catch (const satchel::InvalidOption& error) {
    if (error.problem().empty() || error.hint().empty()) std::abort();
  }
  return 0;
}
