// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/observer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#pragma GCC visibility push(default)

namespace satchel {

/// How much a line matters.
enum class LogLevel : std::uint8_t {
  debug,    ///< every message that is delivered
  info,     ///< a sink is up, the relay leads, a failure is over
  warning,  ///< may mend itself: a failed attempt, a sink that is down, a dropped message
  error,    ///< needs somebody: a dead letter, a sink that is blocked, a storage that fails
};

/// Takes a line of the log: UTF-8 or bytes as the peer sent them, without line feed and control characters.
/// Called from the threads that an `Observer` is called from, by several of them at once where several have
/// something to say: it has to be thread-safe. Must return soon.
using LogCallback = std::function<void(LogLevel, std::string_view)>;

/// An observer that tells what happens as lines, those of `least` and above; what is below is not even put
/// together. Everything is passed on to `next`, if there is one. For `Options::observer`; without one satchel
/// is silent. An exception of the callback is ignored.
std::shared_ptr<Observer> log_to(LogCallback callback, LogLevel least = LogLevel::info,
                                 std::shared_ptr<Observer> next = {});

/// `debug`, `info`, `warning`, `error`.
std::string_view to_string(LogLevel level) noexcept;

}  // namespace satchel

#pragma GCC visibility pop
