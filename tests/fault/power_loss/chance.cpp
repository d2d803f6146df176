// SPDX-License-Identifier: MIT
#include "chance.hpp"

#include "support/power_disk.hpp"

#include <sys/random.h>
#include <sys/types.h>

#include <cstddef>

namespace power {

namespace {

support::Dice& dice() noexcept {
  static support::Dice instance{1};
  return instance;
}

void fill(void* to, std::size_t size) noexcept {
  auto* bytes = static_cast<unsigned char*>(to);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(dice().draw() >> 32U);
}

}  // namespace

void seed_chance(std::uint64_t seed) noexcept { dice() = support::Dice{seed}; }

}  // namespace power

// They stand before those of the C library. The program has one thread.
extern "C" ssize_t getrandom(void* to, std::size_t size, unsigned) {
  power::fill(to, size);
  return static_cast<ssize_t>(size);
}

extern "C" int getentropy(void* to, std::size_t size) {
  power::fill(to, size);
  return 0;
}
