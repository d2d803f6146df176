// SPDX-License-Identifier: MIT
#include <satchel/topic_rule.hpp>

namespace satchel {

bool topic_matches(std::string_view filter, std::string_view topic) noexcept {
  // Topics of the broker's own are not meant by a filter that begins with a wildcard (section 4.7.2).
  const bool wild = !filter.empty() && (filter.front() == '+' || filter.front() == '#');
  if (wild && !topic.empty() && topic.front() == '$') return false;
  const auto level = [](std::string_view text) { return text.substr(0, text.find('/')); };
  while (true) {
    const std::string_view wanted = level(filter);
    if (wanted == "#") return true;
    const std::string_view found = level(topic);
    if (wanted != "+" && wanted != found) return false;
    const bool last_wanted = wanted.size() == filter.size();
    const bool last_found = found.size() == topic.size();
    if (last_found) {
      // `a/#` matches `a` as well.
      return last_wanted || filter.substr(wanted.size()) == "/#";
    }
    if (last_wanted) return false;
    filter.remove_prefix(wanted.size() + 1);
    topic.remove_prefix(found.size() + 1);
  }
}

}  // namespace satchel
