// SPDX-License-Identifier: MIT
#include <satchel/error.hpp>

#include <fmt/format.h>

#include <utility>

namespace satchel {

namespace {

std::string sentence(const std::string& operation, const std::string& problem, const std::string& hint) {
  return hint.empty() ? fmt::format("{}: {}", operation, problem)
                      : fmt::format("{}: {} ({})", operation, problem, hint);
}

}  // namespace

Error::Error(std::string operation, std::string problem, std::string hint, int code)
    : std::runtime_error{sentence(operation, problem, hint)},
      operation_{std::move(operation)},
      problem_{std::move(problem)},
      hint_{std::move(hint)},
      code_{code} {}

}  // namespace satchel
