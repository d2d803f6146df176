// SPDX-License-Identifier: MIT
#include "base/ranges.hpp"
#include "base/validate.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace satchel {

namespace {

using std::chrono::minutes;

constexpr const char* kOperation = "attach";
constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxFilters = 1000;
constexpr std::size_t kMaxQuiet = 100;
constexpr minutes kDay = std::chrono::hours{24};

[[noreturn]] void refuse(std::string problem, std::string range) {
  throw InvalidOption{kOperation, std::move(problem), std::move(range)};
}

template <class Value, class Bound>
void check(std::string_view name, Value value, Bound low, Bound high) {
  if (auto fault = out_of_range(name, value, low, high))
    refuse(std::move(fault->problem), std::move(fault->range));
}

template <class Value>
void check_or_zero(std::string_view name, Value value, Value low, Value high) {
  if (value >= low && value <= high) return;
  // Written so that a NaN is refused.
  if (!(value < Value{0} || value > Value{0}) && value <= high) return;
  refuse(fmt::format("{} is {}", name, value), fmt::format("0, or from {} to {}", low, high));
}

void check_name(const std::string& name) {
  const bool known = std::all_of(name.begin(), name.end(), [](char character) {
    const bool letter = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
    return letter || (character >= '0' && character <= '9') || character == '-' || character == '_';
  });
  if (name.size() > kMaxName) {
    refuse(fmt::format("name is {} bytes long", name.size()), fmt::format("1 to {} characters", kMaxName));
  }
  // A control character has no place in a log.
  if (!known) refuse("name has a character that is not allowed", "letters, digits, - and _ only");
}

void check_filters(const std::vector<std::string>& filters) {
  check("the number of topics", filters.size(), std::size_t{1}, kMaxFilters);
  for (std::size_t index = 0; index < filters.size(); ++index) {
    if (const std::string fault = filter_fault(filters[index]); !fault.empty())
      refuse(fmt::format("topics[{}] is {}", index, fault), kFilterRange);
  }
}

void check_budget(const DataBudget& budget) {
  if (budget.period != DataBudget::Period::day && budget.period != DataBudget::Period::month)
    refuse(fmt::format("budget.period is {}", static_cast<int>(budget.period)), "day or month");
  if (budget.urgent_reserve <= budget.bytes) return;
  refuse(fmt::format("budget.urgent_reserve is {} of budget.bytes {}", budget.urgent_reserve, budget.bytes),
         "at most budget.bytes");
}

void check_quiet(const std::vector<QuietHours>& quiet) {
  check("the number of quiet hours", quiet.size(), std::size_t{0}, kMaxQuiet);
  for (std::size_t index = 0; index < quiet.size(); ++index) {
    const QuietHours& hours = quiet[index];
    const auto in_day = [](minutes time) { return time >= minutes{0} && time <= kDay; };
    const std::string shown =
        fmt::format("quiet[{}] is from {} min to {} min", index, hours.from.count(), hours.to.count());
    if (!in_day(hours.from) || !in_day(hours.to)) refuse(shown, "each from 0 to 1440 min since midnight");
    const bool whole_day = hours.from == minutes{0} && hours.to == kDay;
    if (hours.from % kDay == hours.to % kDay && !whole_day)
      refuse(shown, "two different times of day; 0 to 1440 min for all of it");
  }
}

}  // namespace

void validate(const RouteOptions& route) {
  check_name(route.name);
  check_filters(route.topics);
  check_or_zero<std::size_t>("window", route.window, 1, 65'535);
  check_or_zero<std::size_t>("window_bytes", route.window_bytes, 1, std::size_t{1} << 30U);
  check_or_zero("messages_per_second", route.messages_per_second, 0.001, 1e6);
  check_or_zero("bytes_per_second", route.bytes_per_second, 1.0, 1e10);
  check_budget(route.budget);
  check_quiet(route.quiet);
  check("drain", static_cast<int>(route.drain), 0, static_cast<int>(Drain::interleaved));
}

}  // namespace satchel
