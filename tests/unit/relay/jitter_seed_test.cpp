// SPDX-License-Identifier: MIT
#include "relay/jitter_seed.hpp"
#include "relay/policy.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <string>

using satchel::Identity;
using satchel::relay::Jitter;
using satchel::relay::jitter_seed;

namespace {

Identity identity_of(int device) {
  Identity identity{};
  identity[0] = static_cast<std::uint8_t>(device);
  identity[15] = static_cast<std::uint8_t>(device >> 8);
  return identity;
}

}  // namespace

TEST_CASE("jitter seed: devices differ by name, by file or by chance, whichever of them they have") {
  std::set<std::uint64_t> by_name;
  std::set<std::uint64_t> by_file;
  std::set<std::uint64_t> by_chance;
  for (int device = 0; device < 1000; ++device) {
    by_name.insert(jitter_seed("device-" + std::to_string(device), {}, 0));
    by_file.insert(jitter_seed({}, identity_of(device), 0));
    by_chance.insert(jitter_seed({}, {}, static_cast<std::uint64_t>(device)));
  }
  CHECK(by_name.size() == 1000);
  CHECK(by_file.size() == 1000);
  CHECK(by_chance.size() == 1000);
  CHECK(jitter_seed("a", identity_of(1), 2) == jitter_seed("a", identity_of(1), 2));
}

TEST_CASE("jitter seed: what devices draw is spread over the whole pause") {
  std::set<std::int64_t> first;
  for (int device = 0; device < 1000; ++device) {
    Jitter jitter{jitter_seed({}, identity_of(device), 0)};
    first.insert(jitter.draw(std::chrono::milliseconds{999'999}).count());
  }
  CHECK(first.size() > 990);
  CHECK(*first.begin() < 10'000);
  CHECK(*first.rbegin() > 990'000);
}
