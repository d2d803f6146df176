// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace power {

/// From here on the kernel's random numbers follow from `seed`, in this program only: a life that a seed
/// names is to be the same life each time.
void seed_chance(std::uint64_t seed) noexcept;

}  // namespace power
