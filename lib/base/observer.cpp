// SPDX-License-Identifier: MIT
#include <satchel/observer.hpp>

namespace satchel {

void Observer::delivered(const MessageId&, int) noexcept {}
void Observer::retrying(const MessageId&, int, const std::string&, std::chrono::milliseconds) noexcept {}
void Observer::died(const MessageId&, DeadReason, const std::string&) noexcept {}
void Observer::expired(const MessageId&) noexcept {}
void Observer::dropped(DropReason, const std::string&, std::uint64_t) noexcept {}
void Observer::sink_up(const std::string&) noexcept {}
void Observer::sink_down(const std::string&, const std::string&, bool, std::chrono::milliseconds) noexcept {}
void Observer::leading(bool) noexcept {}
void Observer::failing(const std::string&, const std::string&) noexcept {}
void Observer::healed() noexcept {}
void Observer::gate_held(std::chrono::milliseconds) noexcept {}
void Observer::salvaged(const SalvageReport&) noexcept {}
void Observer::notice(const std::string&) noexcept {}
std::chrono::milliseconds Observer::heartbeat_interval() const noexcept { return {}; }
void Observer::heartbeat() noexcept {}

void PassingObserver::delivered(const MessageId& id, int attempts) noexcept {
  if (next_) next_->delivered(id, attempts);
}
void PassingObserver::retrying(const MessageId& id, int attempts, const std::string& error,
                               std::chrono::milliseconds backoff) noexcept {
  if (next_) next_->retrying(id, attempts, error, backoff);
}
void PassingObserver::died(const MessageId& id, DeadReason reason, const std::string& error) noexcept {
  if (next_) next_->died(id, reason, error);
}
void PassingObserver::expired(const MessageId& id) noexcept {
  if (next_) next_->expired(id);
}
void PassingObserver::dropped(DropReason reason, const std::string& topic, std::uint64_t messages) noexcept {
  if (next_) next_->dropped(reason, topic, messages);
}
void PassingObserver::sink_up(const std::string& sink) noexcept {
  if (next_) next_->sink_up(sink);
}
void PassingObserver::sink_down(const std::string& sink, const std::string& reason, bool alarm,
                                std::chrono::milliseconds pause) noexcept {
  if (next_) next_->sink_down(sink, reason, alarm, pause);
}
void PassingObserver::leading(bool leads) noexcept {
  if (next_) next_->leading(leads);
}
void PassingObserver::failing(const std::string& problem, const std::string& hint) noexcept {
  if (next_) next_->failing(problem, hint);
}
void PassingObserver::healed() noexcept {
  if (next_) next_->healed();
}
void PassingObserver::gate_held(std::chrono::milliseconds held) noexcept {
  if (next_) next_->gate_held(held);
}
void PassingObserver::salvaged(const SalvageReport& report) noexcept {
  if (next_) next_->salvaged(report);
}
void PassingObserver::notice(const std::string& text) noexcept {
  if (next_) next_->notice(text);
}
std::chrono::milliseconds PassingObserver::heartbeat_interval() const noexcept {
  return next_ ? next_->heartbeat_interval() : std::chrono::milliseconds{0};
}
void PassingObserver::heartbeat() noexcept {
  if (next_) next_->heartbeat();
}

}  // namespace satchel
