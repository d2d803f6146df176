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

}  // namespace satchel
