// SPDX-License-Identifier: MIT
#include <satchel/detail/event_fields.hpp>

#include <array>
#include <charconv>
#include <utility>

namespace satchel::detail {

namespace {

template <class Number>
std::string text_of(Number number) {
  std::array<char, 64> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

}  // namespace

void EventFields::value(bool flag) { add(flag ? "true" : "false"); }
void EventFields::value(std::int64_t number) { add(text_of(number)); }
void EventFields::value(std::uint64_t number) { add(text_of(number)); }
void EventFields::value(float number) { add(text_of(number)); }
void EventFields::value(double number) { add(text_of(number)); }
void EventFields::value(std::string_view text) { add(std::string{text}); }

void EventFields::open_node() {
  const bool root = prefixes_.empty();
  if (!root && (unnamed_ > 0 || name_.empty())) ++unnamed_;
  prefixes_.push_back(prefix_.size());
  if (!root) prefix_ += name_ + '.';
  name_.clear();
}

void EventFields::close_node() {
  prefix_.resize(prefixes_.back());
  prefixes_.pop_back();
  if (unnamed_ > 0) --unnamed_;
  name_.clear();
}

void EventFields::add(std::string text) {
  if (unnamed_ == 0 && !name_.empty()) fields_.emplace_back(prefix_ + name_, std::move(text));
  name_.clear();
}

}  // namespace satchel::detail
