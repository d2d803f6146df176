// SPDX-License-Identifier: MIT
#include "base/trust_clock.hpp"

#include <utility>

namespace satchel {

namespace {

class TrustingClock final : public Clock {
 public:
  TrustingClock(std::shared_ptr<Clock> clock, std::function<bool(WallTime)> trust)
      : clock_{std::move(clock)}, trust_{std::move(trust)} {}

  BootTime now() const noexcept override { return clock_->now(); }

  WallReading wall() const noexcept override {
    WallReading reading = clock_->wall();
    try {
      reading.trusted = trust_(reading.time);
    } catch (...) {
      reading.trusted = false;
    }
    return reading;
  }

  std::string boot_id() const override { return clock_->boot_id(); }

  void wait(std::span<const int> descriptors, std::optional<BootTime> until) const override {
    clock_->wait(descriptors, until);
  }

 private:
  const std::shared_ptr<Clock> clock_;
  const std::function<bool(WallTime)> trust_;
};

}  // namespace

std::shared_ptr<Clock> trusting(std::shared_ptr<Clock> clock, std::function<bool(WallTime)> trust) {
  return std::make_shared<TrustingClock>(std::move(clock), std::move(trust));
}

std::shared_ptr<Clock> clock_of(const Options& options) {
  std::shared_ptr<Clock> clock = options.clock ? options.clock : system_clock();
  return options.trust_clock ? trusting(std::move(clock), options.trust_clock) : clock;
}

}  // namespace satchel
