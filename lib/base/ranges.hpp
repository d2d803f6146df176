// SPDX-License-Identifier: MIT
//
// Values against their ranges, in words.
#pragma once

#include <satchel/retry_policy.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace satchel {

/// What is wrong with a value, which is part of the text, and what would be right.
struct Fault {
  std::string problem;
  std::string range;
};

template <class Value, class Bound>
std::optional<Fault> out_of_range(std::string_view name, Value value, Bound low, Bound high) {
  // A NaN is in no range.
  if (value >= low && value <= high) return std::nullopt;
  return Fault{fmt::format("{} is {}", name, value), fmt::format("from {} to {}", low, high)};
}

inline std::optional<Fault> out_of_range(std::string_view name, std::chrono::milliseconds value,
                                         std::chrono::milliseconds low, std::chrono::milliseconds high) {
  if (value >= low && value <= high) return std::nullopt;
  return Fault{fmt::format("{} is {} ms", name, value.count()),
               fmt::format("from {} to {} ms", low.count(), high.count())};
}

/// What is wrong with a policy whose values are called `prefix` and their name.
std::optional<Fault> fault_of(const std::string& prefix, const RetryPolicy& policy);

}  // namespace satchel
