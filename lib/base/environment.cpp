// SPDX-License-Identifier: MIT
#include "base/environment.hpp"

#include "base/option_table.hpp"
#include "base/validate.hpp"

#include <satchel/error.hpp>
#include <satchel/options.hpp>

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel {

namespace {

using std::chrono::milliseconds;

constexpr const char* kOperation = "read the environment";
constexpr std::size_t kShown = 64;

// Under the default prefix, but of the build scripts: no typo.
constexpr std::array<std::string_view, 1> kOthers{"SATCHEL_BUILD_DIR"};

struct Variable {
  std::string name;
  std::string value;
};

[[noreturn]] void refuse(const Variable& variable, const std::string& range) {
  const std::string shown =
      variable.value.size() <= kShown ? variable.value : variable.value.substr(0, kShown) + "...";
  throw InvalidOption{kOperation, fmt::format("{} is '{}'", variable.name, shown), range};
}

// The option's name as variables spell it: retry_backoff.base is RETRY_BACKOFF_BASE.
std::string upper(std::string_view option) {
  std::string name{option};
  std::transform(name.begin(), name.end(), name.begin(), [](char character) {
    if (character == '.') return '_';
    return character >= 'a' && character <= 'z' ? static_cast<char>(character - 32) : character;
  });
  return name;
}

// Plain decimals alone: no sign, no exponent, no hexadecimal, no infinity.
std::optional<double> decimal(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  double number = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> whole(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

double seconds(milliseconds time) { return static_cast<double>(time.count()) / 1000.0; }

/// Takes the variables of the options, one after the other, out of those that there are.
class Reader {
 public:
  Reader(std::string prefix, std::map<std::string, std::string> variables)
      : prefix_{std::move(prefix)}, variables_{std::move(variables)} {}

  void range(const char* option, milliseconds& value, milliseconds low, milliseconds high) {
    const auto variable = take(upper(option) + "_SECONDS");
    if (!variable) return;
    const std::string range =
        fmt::format("a decimal number of seconds from {} to {}", seconds(low), seconds(high));
    const auto number = decimal(variable->value);
    // Compared before the conversion, which an out-of-range number has no result for.
    if (!number || *number > seconds(high) + 1.0) refuse(*variable, range);
    const milliseconds time{std::llround(*number * 1000.0)};
    if (time < low || time > high) refuse(*variable, range);
    value = time;
  }

  void range(const char* option, double& value, double low, double high) {
    const auto variable = take(upper(option));
    if (!variable) return;
    const auto number = decimal(variable->value);
    if (!number || *number < low || *number > high)
      refuse(*variable, fmt::format("a decimal number from {} to {}", low, high));
    value = *number;
  }

  void range(const char* option, int& value, int low, int high) {
    const auto number = number_of(option, static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high));
    if (number) value = static_cast<int>(*number);
  }

  template <class Unsigned>
  void range(const char* option, Unsigned& value, std::uint64_t low, std::uint64_t high) {
    const auto number =
        number_of(option, low, std::min<std::uint64_t>(high, std::numeric_limits<Unsigned>::max()));
    if (number) value = static_cast<Unsigned>(*number);
  }

  void range_or_zero(const char* option, std::uint64_t& value, std::uint64_t low, std::uint64_t high) {
    const auto variable = take(upper(option));
    if (!variable) return;
    const auto number = whole(variable->value);
    if (!number || (*number != 0 && (*number < low || *number > high)))
      refuse(*variable, fmt::format("0 or a whole number from {} to {}", low, high));
    value = *number;
  }

  void power_of_two(const char* option, std::size_t& value, std::uint64_t low, std::uint64_t high) {
    const auto variable = take(upper(option));
    if (!variable) return;
    const auto number = whole(variable->value);
    if (!number || *number < low || *number > high || !std::has_single_bit(*number))
      refuse(*variable, fmt::format("a power of two from {} to {}", low, high));
    value = static_cast<std::size_t>(*number);
  }

  void choice(const char* option, bool& value) {
    choose(option, value, {{{"true", true}, {"false", false}, {"1", true}, {"0", false}}});
  }
  void choice(const char* option, Durability& value) {
    choose<Durability, 2>(option, value, {{{"full", Durability::full}, {"relaxed", Durability::relaxed}}});
  }
  void choice(const char* option, AsyncFull& value) {
    choose<AsyncFull, 3>(option, value,
                         {{{"wait", AsyncFull::wait}, {"fail", AsyncFull::fail}, {"drop", AsyncFull::drop}}});
  }
  void choice(const char* option, OnDamage& value) {
    choose<OnDamage, 2>(option, value, {{{"salvage", OnDamage::salvage}, {"refuse", OnDamage::refuse}}});
  }
  void choice(const char* option, DeadKey& value) {
    choose<DeadKey, 2>(option, value, {{{"release", DeadKey::release}, {"block", DeadKey::block}}});
  }
  void choice(const char* option, OnRestore& value) {
    choose<OnRestore, 2>(option, value, {{{"renew", OnRestore::renew}, {"keep", OnRestore::keep}}});
  }
  void choice(const char* option, WhenFull& value) {
    choose(option, value,
           {{{"reject", WhenFull::reject},
             {"drop_oldest", WhenFull::drop_oldest},
             {"drop_newest", WhenFull::drop_newest},
             {"drop_lowest", WhenFull::drop_lowest}}});
  }
  void choice(const char* option, std::string& value) {
    if (auto variable = take(upper(option))) value = std::move(variable->value);
  }

  /// Throws for the first variable that no option took.
  void finish() const {
    for (const auto& [name, value] : variables_) {
      if (std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end()) continue;
      // The value is not repeated: what this variable is for is not known, so neither is whether it is a
      // secret.
      throw InvalidOption{kOperation, fmt::format("{} is not an option", name),
                          hint_for(std::string_view{name}.substr(prefix_.size()))};
    }
  }

 private:
  template <class Value, std::size_t Count = 4>
  void choose(const char* option, Value& value,
              const std::array<std::pair<const char*, Value>, Count>& choices) {
    const auto variable = take(upper(option));
    if (!variable) return;
    std::string listed;
    for (const auto& [text, meaning] : choices) {
      if (variable->value == text) {
        value = meaning;
        return;
      }
      listed += (listed.empty() ? "" : ", ") + std::string{text};
    }
    refuse(*variable, "one of " + listed);
  }

  std::optional<std::uint64_t> number_of(const char* option, std::uint64_t low, std::uint64_t high) {
    std::optional<Variable> variable = take(upper(option));
    if (std::string_view{option} == "max_attempts") {
      if (auto other = take("MAX_RETRY_COUNT")) {
        if (variable) {
          throw InvalidOption{kOperation, fmt::format("{} and {} are both set", variable->name, other->name),
                              "they are one option: keep one of them"};
        }
        variable = std::move(other);
      }
    }
    if (!variable) return std::nullopt;
    const auto number = whole(variable->value);
    if (!number || *number < low || *number > high)
      refuse(*variable, fmt::format("a whole number from {} to {}", low, high));
    return number;
  }

  std::optional<Variable> take(const std::string& name) {
    known_.push_back(name);
    const auto found = variables_.find(prefix_ + name);
    if (found == variables_.end()) return std::nullopt;
    Variable variable{found->first, std::move(found->second)};
    variables_.erase(found);
    return variable;
  }

  // The known name that begins most alike; typos are rarely in the first letter.
  std::string hint_for(std::string_view name) const {
    const auto alike = [name](const std::string& known) {
      return std::mismatch(name.begin(), name.end(), known.begin(), known.end()).second - known.begin();
    };
    const auto best =
        std::max_element(known_.begin(), known_.end(),
                         [&](const auto& left, const auto& right) { return alike(left) < alike(right); });
    if (alike(*best) == 0) return "the options are listed at Options::from_environment";
    return fmt::format("do you mean {}{}?", prefix_, *best);
  }

  const std::string prefix_;
  std::map<std::string, std::string> variables_;  // those that are left
  std::vector<std::string> known_;
};

std::map<std::string, std::string> variables_with(const std::string& prefix) {
  std::map<std::string, std::string> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || text.substr(0, equals).substr(0, prefix.size()) != prefix)
      continue;
    // Of two with one name getenv sees the first.
    found.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return found;
}

}  // namespace

Options Options::from_environment(const std::string& prefix) { return from_environment(Options{}, prefix); }

Options Options::from_environment(Options base, const std::string& prefix) {
  if (prefix.empty()) {
    throw InvalidOption{kOperation, "an empty prefix", "one that nothing else uses, for example SATCHEL_"};
  }
  return overlaid(std::move(base), prefix, variables_with(prefix));
}

Options overlaid(Options base, const std::string& prefix, std::map<std::string, std::string> variables) {
  Reader reader{prefix, std::move(variables)};
  for_each_option(base, reader);
  reader.finish();
  // What the variables did not set may contradict what they did.
  validate(base);
  return base;
}

}  // namespace satchel
