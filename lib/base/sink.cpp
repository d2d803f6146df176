// SPDX-License-Identifier: MIT
#include <satchel/sink.hpp>

#include <utility>

namespace satchel {

Receipt delivered() { return {}; }

Receipt retry(std::string reason, std::chrono::milliseconds after) {
  return {.claim = 0, .verdict = Verdict::retry, .after = after, .reason = std::move(reason)};
}

Receipt reject(std::string reason) {
  return {.claim = 0, .verdict = Verdict::reject, .after = {}, .reason = std::move(reason)};
}

Receipt down(std::string reason, std::chrono::milliseconds after) {
  return {.claim = 0, .verdict = Verdict::down, .after = after, .reason = std::move(reason)};
}

Receipt blocked(std::string reason, std::chrono::milliseconds after) {
  return {.claim = 0, .verdict = Verdict::blocked, .after = after, .reason = std::move(reason)};
}

}  // namespace satchel
