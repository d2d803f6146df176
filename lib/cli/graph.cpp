// SPDX-License-Identifier: MIT
#include "graph.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace satchel::cli {
namespace {

constexpr std::size_t kScale = 9;  ///< columns of the scale

/// The least of 10, 20, 50, 100 ... that is not less.
std::uint64_t rounded_up(std::uint64_t value) {
  for (std::uint64_t scale = 10; scale <= 1'000'000'000'000'000; scale *= 10) {
    for (const std::uint64_t digit : {1U, 2U, 5U}) {
      if (digit * scale >= value) return digit * scale;
    }
  }
  return value;
}

std::string label_of(std::size_t row, std::size_t rows, std::uint64_t top) {
  std::uint64_t value = 0;
  if (row == 0) value = top;
  return row == 0 || row + 1 == rows ? fmt::format("{:>{}} |", grouped(value), kScale - 1)
                                     : fmt::format("{:>{}} |", "", kScale - 1);
}

}  // namespace

void Graph::add(std::uint64_t value) { fresh_.push_back(value); }

std::vector<Line> Graph::draw(std::size_t columns, std::size_t rows) {
  const std::size_t width = columns > kScale + 10 ? columns - kScale - 1 : 10;
  if (trace_.size() != width) {
    trace_.assign(width, 0);
    at_ = 0;
    filled_ = 0;
  }
  for (; !fresh_.empty(); fresh_.pop_front()) {
    trace_[at_] = fresh_.front();
    at_ = (at_ + 1) % width;
    filled_ = std::min(filled_ + 1, width);
  }
  const std::uint64_t top = rounded_up(*std::max_element(trace_.begin(), trace_.end()));
  std::vector<Line> lines;
  for (std::size_t y = 0; y < rows; ++y) {
    const std::size_t level = rows - y;  // from 1 at the bottom
    std::string bars;
    for (std::size_t x = 0; x < width; ++x) {
      const bool gap = filled_ == width && x == at_;
      // What is more than nothing shows.
      const std::uint64_t height = (trace_[x] * rows + top - 1) / top;
      bars += !gap && height >= level ? '#' : ' ';
    }
    lines.push_back({{label_of(y, rows, top), Look::faint}, {bars}});
  }
  return lines;
}

void Flow::add(std::chrono::steady_clock::time_point now, std::int64_t newest_row, std::uint64_t waiting) {
  samples_.push_back({now, newest_row, waiting});
  while (samples_.size() > 2 && now - samples_[1].time > std::chrono::seconds{10}) samples_.pop_front();
  const Sample& first = samples_.front();
  const double seconds = std::chrono::duration<double>(now - first.time).count();
  if (seconds <= 0) return;
  const auto came = static_cast<double>(newest_row - first.newest_row);
  const double grown = static_cast<double>(waiting) - static_cast<double>(first.waiting);
  in_ = std::max(came, 0.0) / seconds;
  out_ = std::max(came - grown, 0.0) / seconds;
}

}  // namespace satchel::cli
