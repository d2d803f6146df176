// SPDX-License-Identifier: MIT
#include "world.hpp"

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

namespace {

/// Lives of devices by seed. Usage: simulation [--store] [--seeds N] [--first S] [--trace]; TEST_LIVES=N
/// makes it N times as many.
struct Request {
  simulation::Kind kind = simulation::Kind::memory;
  std::uint64_t seeds = 1000;
  std::uint64_t first = 1;
  bool trace = false;
};

Request read(int argc, char** argv) {
  Request request;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--store") {
      request.kind = simulation::Kind::store;
    } else if (word == "--trace") {
      request.trace = true;
    } else if (word == "--seeds" && i + 1 < argc) {
      request.seeds = std::stoull(argv[++i]);
    } else if (word == "--first" && i + 1 < argc) {
      request.first = std::stoull(argv[++i]);
    } else {
      std::cerr << "usage: simulation [--store] [--seeds N] [--first S] [--trace]\n";
      std::exit(2);
    }
  }
  if (const char* times = std::getenv("TEST_LIVES")) request.seeds *= std::stoull(times);
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  const Request request = read(argc, argv);
  std::uint64_t messages = 0;
  int failures = 0;
  for (std::uint64_t seed = request.first; seed < request.first + request.seeds; ++seed) {
    try {
      simulation::World world{request.kind, seed};
      if (request.trace) world.trace();
      world.live();
      messages += world.messages();
    } catch (const std::exception& error) {
      std::cerr << "seed " << seed << ": " << error.what() << '\n';
      if (++failures >= 10) break;
    }
  }
  std::cout << request.seeds << " seeds from " << request.first << ", " << messages << " messages, "
            << failures << " failures\n";
  if (failures > 0) return 1;
  std::cout << "REPORT simulation | "
            << (request.kind == simulation::Kind::memory ? "storage in memory" : "storage in files")
            << " | seeds=" << request.seeds << ", first seed=" << request.first << ", messages=" << messages
            << '\n';
  return 0;
}
