// SPDX-License-Identifier: MIT
#include <satchel/topic_rule.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using satchel::topic_matches;

namespace {

std::vector<std::string> levels_of(std::string_view text) {
  std::vector<std::string> levels{""};
  for (const char character : text) {
    if (character == '/')
      levels.emplace_back();
    else
      levels.back() += character;
  }
  return levels;
}

/// MQTT 5.0 section 4.7 word by word, level by level, slow.
bool matches_by_the_book(std::string_view filter, std::string_view topic) {
  const auto wanted = levels_of(filter);
  const auto found = levels_of(topic);
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  for (std::size_t level = 0; level < wanted.size(); ++level) {
    // The parent level is included.
    if (wanted[level] == "#") return found.size() >= level;
    if (level >= found.size()) return false;
    if (wanted[level] != "+" && wanted[level] != found[level]) return false;
  }
  return wanted.size() == found.size();
}

/// All texts of so many characters at most out of these.
std::vector<std::string> all_texts(std::string_view characters, std::size_t most) {
  std::vector<std::string> texts{""};
  for (std::size_t from = 0; from < texts.size(); ++from) {
    if (texts[from].size() == most) break;
    for (const char character : characters) texts.push_back(texts[from] + character);
  }
  texts.erase(texts.begin());
  return texts;
}

/// A filter has wildcards as whole levels alone, and `#` as the last one.
bool is_filter(std::string_view text) {
  const auto levels = levels_of(text);
  for (std::size_t level = 0; level < levels.size(); ++level) {
    const bool wild = levels[level].find_first_of("+#") != std::string::npos;
    if (wild && levels[level].size() > 1) return false;
    if (levels[level] == "#" && level + 1 < levels.size()) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("topic filter: the multi-level wildcard stands for the parent and all that is below") {
  CHECK(topic_matches("sport/tennis/player1/#", "sport/tennis/player1"));
  CHECK(topic_matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
  CHECK(topic_matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
  CHECK(topic_matches("sport/#", "sport"));
  CHECK(topic_matches("a/#", "a"));
  CHECK(topic_matches("a/#", "a/"));
  CHECK_FALSE(topic_matches("a/#", "ab"));
  CHECK_FALSE(topic_matches("a/#", "b/a"));
  CHECK(topic_matches("#", "anything/at/all"));
  CHECK(topic_matches("#", "/"));
  CHECK(topic_matches("+/#", "a"));
}

TEST_CASE("topic filter: the single-level wildcard stands for exactly one level") {
  CHECK(topic_matches("sport/tennis/+", "sport/tennis/player1"));
  CHECK_FALSE(topic_matches("sport/tennis/+", "sport/tennis/player1/ranking"));
  CHECK_FALSE(topic_matches("sport/+", "sport"));
  CHECK(topic_matches("sport/+", "sport/"));
  CHECK(topic_matches("+/+", "/finance"));
  CHECK(topic_matches("/+", "/finance"));
  CHECK_FALSE(topic_matches("+", "/finance"));
  CHECK(topic_matches("+/tennis/#", "sport/tennis"));
  CHECK(topic_matches("sport/+/player1", "sport/tennis/player1"));
}

TEST_CASE("topic filter: levels are compared as they are, case, spaces and empty ones included") {
  CHECK_FALSE(topic_matches("ACCOUNTS", "Accounts"));
  CHECK(topic_matches("Accounts payable", "Accounts payable"));
  CHECK_FALSE(topic_matches("/finance", "finance"));
  CHECK_FALSE(topic_matches("finance", "/finance"));
  CHECK_FALSE(topic_matches("a", "a/"));
  CHECK_FALSE(topic_matches("a/", "a"));
  CHECK(topic_matches("a//b", "a//b"));
  CHECK(topic_matches("a/+/b", "a//b"));
  CHECK_FALSE(topic_matches("a/b", "a/b/c"));
  CHECK_FALSE(topic_matches("a/b/c", "a/b"));
}

TEST_CASE("topic filter: a wildcard in front does not stand for a topic that begins with $") {
  CHECK_FALSE(topic_matches("#", "$SYS/load"));
  CHECK_FALSE(topic_matches("+/load", "$SYS/load"));
  CHECK(topic_matches("$SYS/#", "$SYS/load"));
  CHECK(topic_matches("$SYS/#", "$SYS"));
  CHECK(topic_matches("$SYS/+", "$SYS/load"));
  CHECK(topic_matches("a/+", "a/$SYS"));
}

TEST_CASE("topic filter: every short filter and topic match as the standard says") {
  const auto topics = all_texts("a/$", 5);
  long compared = 0;
  for (const std::string& filter : all_texts("a/$+#", 5)) {
    if (!is_filter(filter)) continue;
    for (const std::string& topic : topics) {
      if (topic_matches(filter, topic) != matches_by_the_book(filter, topic)) {
        CAPTURE(filter);
        CAPTURE(topic);
        FAIL_CHECK("differs");
      }
      ++compared;
    }
  }
  CHECK(compared > 100'000);
}
