// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/route.hpp>
#include <satchel/sink.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace simulation {

/// What a route may send at a time, judged from outside at each message that it hands over.
class Manners {
 public:
  explicit Manners(satchel::RouteOptions route) : route_{std::move(route)} {}

  /// Takes one message that goes out. What is wrong about it; empty: nothing.
  std::string sent(const satchel::Delivery& delivery, bool urgent, satchel::BootTime now,
                   const satchel::WallReading& wall);
  /// All that was sent has been recorded.
  void recorded() { unrecorded_ = 0; }
  /// Another relay goes on from what was recorded; its rates begin anew.
  void began();
  /// From now on nobody outside can tell when a period of the data budget begins.
  void clock_steps() { steps_ = true; }

 private:
  /// So much may go at once, and so much more each second.
  class Allowance {
   public:
    bool take(double per_second, double amount, satchel::BootTime now);
    void reset() { left_.reset(); }

   private:
    std::optional<double> left_{};
    satchel::BootTime at_{};
  };

  bool within_budget(std::uint64_t bytes, bool urgent, satchel::BootTime now,
                     const satchel::WallReading& wall);
  bool is_quiet(const satchel::WallReading& wall) const;

  const satchel::RouteOptions route_;
  Allowance messages_;
  Allowance bytes_;
  bool steps_ = false;
  std::optional<satchel::BootTime> first_sent_{};
  std::int64_t today_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t unrecorded_ = 0;  ///< of these, what a relay that dies forgets
};

}  // namespace simulation
