// SPDX-License-Identifier: MIT
#include "relay/relay.hpp"

#include "relay/engine.hpp"

namespace satchel::relay {

Relay::Relay(const Options& options, const Ports& ports, std::function<void()> wake, std::uint64_t seed)
    : engine_{std::make_unique<Engine>(options, ports, std::move(wake), seed)} {}

Relay::~Relay() = default;

bool Relay::step() noexcept { return engine_->step(); }
std::optional<BootTime> Relay::next_step() const { return engine_->next_step(); }
bool Relay::backs_off() const noexcept { return engine_->backs_off(); }
void Relay::let_ride(bool allowed) noexcept { engine_->let_ride(allowed); }
void Relay::drain() { engine_->drain(); }
bool Relay::drained() const { return engine_->drained(); }
void Relay::finish(std::chrono::milliseconds timeout) noexcept { engine_->finish(timeout); }
void Relay::pause(std::size_t route, bool paused) noexcept { engine_->pause(route, paused); }
std::uint64_t Relay::states() const noexcept { return engine_->states(); }
Snapshot Relay::snapshot() const { return engine_->snapshot(); }

}  // namespace satchel::relay
