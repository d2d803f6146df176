// SPDX-License-Identifier: MIT
#include "store/relay_health.hpp"

#include "store/flat_lines.hpp"

#include <array>

namespace satchel::store {
namespace {

// All of them have to fit into the place that the relay file has for them.
constexpr std::size_t kMostText = 300;
constexpr std::size_t kMostName = 120;

}  // namespace

SinkState state_named(std::string_view name) {
  constexpr std::array<SinkState, 4> kStates{SinkState::connecting, SinkState::up, SinkState::down,
                                             SinkState::blocked};
  for (const SinkState state : kStates) {
    if (to_string(state) == name) return state;
  }
  return SinkState::none;
}

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
