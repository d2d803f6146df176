// SPDX-License-Identifier: MIT
#include "store/relay_health.hpp"

#include "store/settle.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace satchel::store {
namespace {

// All of them have to fit into the place that the relay file has for them.
constexpr std::size_t kMostText = 300;
constexpr std::size_t kMostName = 120;
constexpr char kField = '\t';

/// On one line and in one field.
std::string flat(const std::string& text, std::size_t limit) {
  std::string line = shortened(text, limit);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

std::string_view cut(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return piece;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

SinkState state_named(std::string_view name) {
  constexpr std::array<SinkState, 4> kStates{SinkState::connecting, SinkState::up, SinkState::paused,
                                             SinkState::blocked};
  for (const SinkState state : kStates) {
    if (to_string(state) == name) return state;
  }
  return SinkState::none;
}

}  // namespace

std::string encode(const RelayHealth& health) {
  std::string text =
      "relay\t" + flat(health.boot_id, kMostName) + kField + std::to_string(health.process) + '\n';
  if (!health.failure.empty()) text += "failure\t" + flat(health.failure, kMostText) + '\n';
  for (const RelayHealth::Sink& sink : health.sinks) {
    text += "sink\t" + std::string{to_string(sink.state)} + kField + std::to_string(sink.since) + kField +
            flat(sink.name, kMostName) + kField + flat(sink.problem, kMostText) + '\n';
  }
  return text;
}

RelayHealth decode_health(std::string_view text) {
  RelayHealth health;
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    const std::string_view kind = cut(line, kField);
    if (kind == "relay") {
      health.boot_id = cut(line, kField);
      health.process = number(cut(line, kField));
    } else if (kind == "failure") {
      health.failure = cut(line, kField);
    } else if (kind == "sink") {
      RelayHealth::Sink sink;
      sink.state = state_named(cut(line, kField));
      sink.since = number(cut(line, kField));
      sink.name = cut(line, kField);
      sink.problem = cut(line, kField);
      health.sinks.push_back(std::move(sink));
    }
  }
  return health;
}

}  // namespace satchel::store
