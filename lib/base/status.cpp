// SPDX-License-Identifier: MIT
#include <satchel/status.hpp>

namespace satchel {

std::string_view remedy_of(SinkState state) noexcept {
  switch (state) {
    case SinkState::down:
      return "check the network and the address; it is tried again by itself, and at once after pause and "
             "resume";
    case SinkState::blocked:
      return "correct the credentials, rights or options for it; it is tried again by itself, and at once "
             "after pause and resume";
    case SinkState::none:
    case SinkState::connecting:
    case SinkState::up:
      break;
  }
  return {};
}

std::string_view to_string(SinkState state) noexcept {
  switch (state) {
    case SinkState::none:
      return "none";
    case SinkState::connecting:
      return "connecting";
    case SinkState::up:
      return "up";
    case SinkState::down:
      return "down";
    case SinkState::blocked:
      return "blocked";
  }
  return "unknown";
}

std::string_view to_string(HeldBy limit) noexcept {
  switch (limit) {
    case HeldBy::nothing:
      return "nothing";
    case HeldBy::rate:
      return "rate";
    case HeldBy::quiet:
      return "quiet";
    case HeldBy::budget:
      return "budget";
  }
  return "unknown";
}

std::string_view to_string(DeadReason reason) noexcept {
  switch (reason) {
    case DeadReason::rejected:
      return "rejected";
    case DeadReason::attempts:
      return "attempts";
    case DeadReason::age:
      return "age";
    case DeadReason::crashed:
      return "crashed";
    case DeadReason::damaged:
      return "damaged";
  }
  return "unknown";
}

std::string_view to_string(DropReason reason) noexcept {
  switch (reason) {
    case DropReason::expired:
      return "expired";
    case DropReason::quota:
      return "quota";
    case DropReason::coalesced:
      return "coalesced";
    case DropReason::discarded:
      return "discarded";
  }
  return "unknown";
}

}  // namespace satchel
