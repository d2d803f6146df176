// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/observer.hpp>

#include <chrono>
#include <memory>
#include <string>

#pragma GCC visibility push(default)

namespace satchel {

/// Tells systemd how the service is doing (`Type=notify`, `WatchdogSec=`), by the socket that NOTIFY_SOCKET
/// names; without one every call does nothing. Make it `Options::observer`: it then tells as the status of
/// the service how the sinks are, and sends `WATCHDOG=1` four times in WATCHDOG_USEC, from the relay thread
/// itself, so that a relay that hangs is restarted. Make `WatchdogSec` longer than the storage may take for a
/// commit. With `Outbox::run_once` no `WATCHDOG=1` is sent, unless you call `heartbeat` yourself.
///
/// Thread-safe. Best effort: no call throws, blocks, or says more than that it could not send.
class SystemdNotifier final : public PassingObserver {
 public:
  /// Reads the environment, which no other thread may change meanwhile.
  explicit SystemdNotifier(std::shared_ptr<Observer> next = {});

  /// The service has started: call it after `Outbox::start`. False: not sent.
  bool ready() const noexcept;
  /// The service is about to end: call it before `Outbox::stop`.
  bool stopping() const noexcept;

  void sink_up(const std::string& sink) noexcept override;
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 std::chrono::milliseconds pause) noexcept override;
  std::chrono::milliseconds heartbeat_interval() const noexcept override;
  void heartbeat() noexcept override;

 private:
  bool send(const std::string& text) const noexcept;
  void tell(const std::string& status) const noexcept;

  const std::string socket_;
  const std::chrono::milliseconds beat_;  // 0: no watchdog
};

}  // namespace satchel

#pragma GCC visibility pop
