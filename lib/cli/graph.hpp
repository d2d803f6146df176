// SPDX-License-Identifier: MIT
#pragma once

#include "terminal.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace satchel::cli {

/// A number over time as a picture. The newest value overwrites the oldest one, like the trace of an
/// oscilloscope, so that a new value changes two columns and not all of them.
class Graph {
 public:
  void add(std::uint64_t value);
  /// `rows` lines of at most `columns` characters, with the scale at the left.
  std::vector<Line> draw(std::size_t columns, std::size_t rows);

 private:
  std::vector<std::uint64_t> trace_;  ///< by column
  std::deque<std::uint64_t> fresh_;   ///< not yet in it
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
};

/// Messages that come and go, a second, over the last ten.
class Flow {
 public:
  void add(std::chrono::steady_clock::time_point now, std::int64_t newest_row, std::uint64_t waiting);
  double in() const noexcept { return in_; }
  double out() const noexcept { return out_; }

 private:
  struct Sample {
    std::chrono::steady_clock::time_point time;
    std::int64_t newest_row;
    std::uint64_t waiting;
  };
  std::deque<Sample> samples_;
  double in_ = 0;
  double out_ = 0;
};

}  // namespace satchel::cli
