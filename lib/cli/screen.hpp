// SPDX-License-Identifier: MIT
#pragma once

#include "terminal.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace satchel::cli {

/// What a terminal shows. Remembers it, so that only what has changed is written: over a slow serial line
/// that is what makes it usable. Characters beyond ASCII are shown as `?`: how wide they are, only the
/// terminal knows.
class Screen {
 public:
  /// The bytes that turn what was drawn last into `lines`, cut to the size. A new size draws everything.
  std::string draw(const std::vector<Line>& lines, std::size_t columns, std::size_t rows,
                   const Terminal& looks);

 private:
  struct Cell {
    char shown = ' ';
    Look look = Look::plain;
    bool operator==(const Cell&) const = default;
  };
  using Row = std::vector<Cell>;

  static Row row_of(const Line& line, std::size_t columns);
  static void write_cells(std::string& to, const Row& row, std::size_t from, std::size_t end,
                          const Terminal& looks);

  std::vector<Row> shown_;
  std::size_t columns_ = 0;
};

/// Shows what `page(columns, rows)` says, anew each `interval` seconds, until q, Ctrl-C or the end of
/// standard input. Throws `UsageError` when standard output is no terminal.
void run_live(const Terminal& out, double interval,
              const std::function<std::vector<Line>(std::size_t columns, std::size_t rows)>& page);

}  // namespace satchel::cli
