// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/options.hpp>

#include <functional>
#include <memory>

namespace satchel {

/// The same clock, but `trust` alone says whether its wall time can be believed. `trust` is called at every
/// reading, on the reading thread; when it throws, that reading is not believed.
std::shared_ptr<Clock> trusting(std::shared_ptr<Clock> clock, std::function<bool(WallTime)> trust);

/// The clock that these options ask for.
std::shared_ptr<Clock> clock_of(const Options& options);

}  // namespace satchel
