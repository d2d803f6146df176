// SPDX-License-Identifier: MIT
#include <satchel/detail/event_template.hpp>
#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace satchel::detail {

namespace {

constexpr std::size_t kMaxListed = 20;

[[noreturn]] void refuse(std::string problem, std::string hint) {
  throw InvalidMessage{"publish", std::move(problem), std::move(hint)};
}

std::string names_of(const EventFields& fields) {
  if (fields.all().empty()) return "it has no named number or text: use CEREAL_NVP in serialize";
  std::string names = "it has";
  std::size_t listed = 0;
  for (const auto& [name, text] : fields.all()) {
    if (listed == kMaxListed) return names + ", ...";
    names += fmt::format("{} {}", listed++ == 0 ? "" : ",", name);
  }
  return names;
}

const std::string& text_of(std::string_view name, std::string_view pattern, const EventFields& fields,
                           std::string_view event) {
  const auto& all = fields.all();
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const auto& field) { return field.first == name; });
  if (found != all.end()) return found->second;
  refuse(fmt::format("the event '{}' has no field '{}' for '{}'", event, name, pattern), names_of(fields));
}

template <class Check>
std::string fill(std::string_view pattern, const EventFields& fields, std::string_view event,
                 const Check& check) {
  std::string text;
  std::string_view rest = pattern;
  while (!rest.empty()) {
    const std::size_t brace = std::min(rest.find('{'), rest.size());
    text += rest.substr(0, brace);
    rest.remove_prefix(brace);
    if (rest.empty()) break;
    const std::size_t end = rest.find('}');
    const std::string_view name = rest.substr(1, end - 1);
    const std::string& value = text_of(name, pattern, fields, event);
    check(name, value);
    text += value;
    rest.remove_prefix(end + 1);
  }
  return text;
}

}  // namespace

std::string fill_key(std::string_view pattern, const EventFields& fields, std::string_view event) {
  return fill(pattern, fields, event, [](std::string_view, const std::string&) {});
}

std::string fill_topic(std::string_view pattern, const EventFields& fields, std::string_view event) {
  return fill(pattern, fields, event, [&](std::string_view name, const std::string& value) {
    if (value.empty()) {
      refuse(fmt::format("the field '{}' of the event '{}' is empty", name, event),
             fmt::format("it is a level of the topic '{}'", pattern));
    }
    if (value.find_first_of("/+#") != std::string::npos) {
      refuse(fmt::format("the field '{}' of the event '{}' is '{}'", name, event, value.substr(0, 128)),
             fmt::format("it is a level of the topic '{}': no /, + or #", pattern));
    }
  });
}

}  // namespace satchel::detail
